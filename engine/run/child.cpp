#include "engine/run/child.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/spawn_plan.h"
#include "engine/base/units.h"
#include "engine/run/ranks.h"
#include "engine/run/record.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace stillroom {
namespace {

constexpr auto kLookAgain = std::chrono::milliseconds(5);

std::vector<std::string> inherited_variables() {
    std::vector<std::string> out;
    for (char** each = environ; *each; ++each) {
        std::string_view variable = *each;
        if (!is_rank_variable(variable.substr(0, variable.find('='))))
            out.emplace_back(variable);
    }
    return out;
}

}  // namespace

Descriptor open_output(const std::filesystem::path& file) {
    Descriptor output(retried([&] {
        return ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
    }));
    if (!output.is_open())
        refuse_write(file, errno);
    return output;
}

Child::Child(const std::vector<std::string>& words,
             const std::filesystem::path& output,
             int input) {
    std::vector<std::string> arguments = words;
    std::vector<std::string> variables = inherited_variables();
    Descriptor printed = open_output(output);
    SpawnPlan plan(printed.get(), input, {});
    int failure = ::posix_spawn(&pid_,
                                arguments[0].c_str(),
                                &plan.actions,
                                &plan.attributes,
                                exec_words(arguments).data(),
                                exec_words(variables).data());
    if (failure != 0)
        throw Error({}, fmt::format("cannot start {}: {}", arguments[0], std::strerror(failure)))
            .exit_code(kExitResource);
    watch();
}

Child::Child(int pid) : pid_(pid) {
    ::setpgid(pid_, pid_);  // it does so too: whoever is first
    watch();
}

void Child::watch() {
    pidfd_ = static_cast<int>(
        ::syscall(SYS_pidfd_open, pid_, 0));  // -1 on an old kernel: then we look from time to time
    if (pidfd_ >= 0)
        ::fcntl(pidfd_, F_SETFD, FD_CLOEXEC);
}

Child::~Child() {
    if (pid_ > 0 && !exit_) {
        kill();
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    if (pidfd_ >= 0)
        ::close(pidfd_);
}

const std::optional<Exit>& Child::poll() {
    if (exit_ || pid_ <= 0)
        return exit_;
    // Looked at without reaping first: while its number is taken, the group of that number is ours.
    siginfo_t seen{};
    if (::waitid(P_PID, static_cast<id_t>(pid_), &seen, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        seen.si_pid == 0)
        return exit_;
    ::kill(-pid_, SIGKILL);
    int status = 0;
    rusage used{};
    pid_t reaped = 0;
    do
        reaped = ::wait4(pid_, &status, 0, &used);
    while (reaped < 0 && errno == EINTR);
    static std::atomic<std::uint64_t> order{0};
    Exit exit;
    exit.time = utc_now();
    exit.order = ++order;
    exit.peak = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
    if (reaped < 0)
        exit.status = 255;  // somebody else took it: nothing is known but that it is gone
    else if (WIFSIGNALED(status))
        exit.signal = WTERMSIG(status);
    else
        exit.status = WEXITSTATUS(status);
    exit_ = exit;
    return exit_;
}

void Child::signal(int number) {
    if (pid_ > 0 && !exit_)
        ::kill(pid_, number);
}

void Child::kill() {
    if (pid_ > 0 && !exit_)
        ::kill(-pid_, SIGKILL);
}

void wait_for_any(const std::vector<int>& descriptors, std::chrono::milliseconds most) {
    std::vector<pollfd> watched;
    for (int descriptor : descriptors)
        if (descriptor >= 0)
            watched.push_back({descriptor, POLLIN, 0});
        else
            most = std::min(most, std::chrono::milliseconds(kLookAgain));
    ::poll(watched.data(),
           watched.size(),
           static_cast<int>(std::clamp<std::int64_t>(most.count(), 0, 3'600'000)));
}

}  // namespace stillroom
