#include "engine/run/lifeline.h"

#include "engine/base/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace stillroom {
namespace {

volatile sig_atomic_t stop_wanted = 0;

void note_stop(int) {
    stop_wanted = 1;
}

void parent_died(int) {
    end_process_group();
    ::_exit(kExitRanks);
}

/// Of all signals that a library could want, the last one is the least likely.
int sign_of_parent() {
    return SIGRTMAX;
}

/// What the file says now: its content, and its times where that does not change.
std::string look_at(const std::filesystem::path& file) {
    int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return {};
    char text[256];
    ssize_t count = ::read(fd, text, sizeof text);
    std::string seen(text, count > 0 ? static_cast<std::size_t>(count) : 0);
    struct stat status {};
    if (::fstat(fd, &status) == 0)
        seen += fmt::format("|{}.{}", status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    ::close(fd);
    return seen;
}

}  // namespace

void die_with_parent(long parent) {
    struct sigaction action {};
    action.sa_handler = parent_died;
    ::sigaction(sign_of_parent(), &action, nullptr);
    ::prctl(PR_SET_PDEATHSIG, sign_of_parent());
    if (::getppid() != parent)
        throw Error({}, fmt::format("process {}, which started this worker, is gone", parent))
            .exit_code(kExitRanks);
}

void note_stop_signals() {
    struct sigaction action {};
    action.sa_handler = note_stop;
    action.sa_flags = SA_RESTART;
    for (int number : {SIGTERM, SIGINT, SIGUSR1})
        ::sigaction(number, &action, nullptr);
    struct sigaction inherited {};
    ::sigaction(SIGHUP, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN)
        ::sigaction(SIGHUP, &action, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGXFSZ, SIG_IGN);
}

bool stop_signalled() {
    return stop_wanted != 0;
}

void end_process_group() {
    if (::getpgrp() == ::getpid())
        ::kill(0, SIGKILL);
}

Pulse::Pulse(RecordWriter& records,
             std::filesystem::path alive,
             double seconds,
             std::function<void()> engine_lost)
    : records_(records),
      alive_(std::move(alive)),
      seconds_(seconds),
      engine_lost_(std::move(engine_lost)),
      thread_([this] { beat(); }) {}

Pulse::~Pulse() {
    stop();
    wakes_.notify_all();
    thread_.join();
}

void Pulse::stop() {
    std::lock_guard lock(mutex_);
    ending_ = true;
}

void Pulse::beat() {
    std::string seen;
    int unchanged = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
        wakes_.wait_for(lock, std::chrono::duration<double>(seconds_), [this] { return ending_; });
        if (ending_)
            return;
        try {
            records_.flush();
            Record record;
            record.event = "beat";
            records_.write(record);
        } catch (const Error&) {
            // The stage's own thread meets the same failure, and says so.
        }
        if (alive_.empty())
            continue;
        std::string now = look_at(alive_);
        unchanged = now.empty() || now == seen ? unchanged + 1 : 0;
        seen = now;
        if (unchanged >= kBeatsToLive) {
            engine_lost_();
            return;
        }
    }
}

}  // namespace stillroom
