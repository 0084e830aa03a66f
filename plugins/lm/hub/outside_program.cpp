#include "plugins/lm/hub/outside_program.h"

#include "engine/base/descriptor.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/spawn_plan.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

namespace stillroom::lm {
namespace {

constexpr std::size_t kMostSaid = 16 << 10;
constexpr int kLookAgain = 50;  // milliseconds

/// Takes what is there to read; false at its end.
bool read_some(int pipe, std::string& said) {
    char buffer[4096];
    for (;;) {
        ssize_t count = ::read(pipe, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 && errno == EAGAIN;
        said.append(buffer, static_cast<std::size_t>(count));
        if (said.size() > 2 * kMostSaid)
            said.erase(0, said.size() - kMostSaid);
    }
}

}  // namespace

OutsideEnd run_outside(const OutsideProgram& program) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        throw Error({}, fmt::format("cannot start {}: {}", program.words[0], std::strerror(errno)))
            .exit_code(kExitResource);
    Descriptor ours(ends[0]), theirs(ends[1]);
    ::fcntl(theirs.get(), F_SETFL, 0);  // a program may rely on writes that wait
    std::vector<std::string> words = program.words, variables = program.variables;
    SpawnPlan plan(theirs.get(), -1, program.folder);
    OutsideEnd end;
    pid_t child = -1;
    int code = ::posix_spawnp(&child,
                              words[0].c_str(),
                              &plan.actions,
                              &plan.attributes,
                              exec_words(words).data(),
                              exec_words(variables).data());
    theirs.close();
    if (code == ENOENT || code == EACCES)
        return end;
    if (code != 0)
        throw Error({}, fmt::format("cannot start {}: {}", program.words[0], std::strerror(code)))
            .exit_code(kExitResource);
    end.started = true;
    using Clock = std::chrono::steady_clock;
    auto last = Clock::now() + std::chrono::duration<double>(program.seconds);
    int status = 0;
    for (bool open = true;;) {
        if (open) {
            pollfd look{ours.get(), POLLIN, 0};
            ::poll(&look, 1, kLookAgain);
            open = read_some(ours.get(), end.said);
        } else {
            ::usleep(kLookAgain * 1000);
        }
        // Looked at without reaping first: while its number is taken, the group of it is ours.
        siginfo_t seen{};
        bool ended =
            ::waitid(P_PID, static_cast<id_t>(child), &seen, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            seen.si_pid == child;
        end.stopped = !ended && program.cancelled && program.cancelled();
        end.too_long = !ended && !end.stopped && Clock::now() >= last;
        if (ended || end.stopped || end.too_long)
            break;
    }
    ::kill(-child, SIGKILL);  // with all that it left behind
    retried([&] { return ::waitpid(child, &status, 0); });
    read_some(ours.get(), end.said);
    if (end.said.size() > kMostSaid)
        end.said.erase(0, end.said.size() - kMostSaid);
    end.exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return end;
}

}  // namespace stillroom::lm
