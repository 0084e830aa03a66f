#include "engine/run/lifeline.h"

#include "engine/base/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace stillroom {
namespace {

volatile sig_atomic_t stop_wanted = 0;

void note_stop(int) {
    stop_wanted = 1;
}

/// Who was tied to whom: a child that a stage forks inherits the handler, not the tie.
volatile sig_atomic_t tied = 0;
volatile sig_atomic_t tied_to = 0;

/// Anybody may continue a process; only without its parent it ends.
void continued(int) {
    if (::getpid() != tied || ::getppid() == tied_to)
        return;
    end_process_group();
    ::_exit(kExitRanks);
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
    tied = ::getpid();
    tied_to = static_cast<sig_atomic_t>(parent);
    struct sigaction action {};
    action.sa_handler = continued;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGCONT, &action, nullptr);
    // The one signal that also wakes a stopped process, and takes back a stop that is on its way.
    ::prctl(PR_SET_PDEATHSIG, SIGCONT);
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

/// Never ended, as nothing is that a worker holds when it goes.
class Pulse::Heart {
public:
    static Heart& shared() {
        static Heart& one = *new Heart;
        return one;
    }

    void begin(Pulse* pulse) {
        std::lock_guard lock(mutex_);
        pulse_ = pulse;
        if (!beats_) {
            beats_ = true;
            std::thread([this] { beat(); }).detach();
        } else if (pulse->seconds_ < waits_) {
            wakes_.notify_all();
        }
    }
    void end(Pulse* pulse) {
        std::lock_guard lock(mutex_);
        if (pulse_ == pulse)
            pulse_ = nullptr;
    }
    int threads() {
        std::lock_guard lock(mutex_);
        return beats_ ? 1 : 0;
    }

private:
    /// Its rhythm is that of the last pulse, and goes on between two: nobody is woken for a stage
    /// that is over before it would beat.
    void beat() {
        std::unique_lock lock(mutex_);
        for (;;) {
            if (pulse_)
                waits_ = pulse_->seconds_;
            bool sooner = wakes_.wait_for(lock, std::chrono::duration<double>(waits_), [this] {
                return pulse_ && pulse_->seconds_ < waits_;
            });
            if (pulse_ && !sooner)
                pulse_->beat();
        }
    }

    std::mutex mutex_;
    std::condition_variable wakes_;
    Pulse* pulse_ = nullptr;
    double waits_ = 0;
    bool beats_ = false;
};

Pulse::Pulse(RecordWriter& records,
             std::filesystem::path alive,
             double seconds,
             std::function<void()> engine_lost)
    : records_(records),
      alive_(std::move(alive)),
      seconds_(seconds),
      engine_lost_(std::move(engine_lost)) {
    Heart::shared().begin(this);
}

Pulse::~Pulse() {
    stop();
}

void Pulse::stop() {
    Heart::shared().end(this);
}

int Pulse::threads() {
    return Heart::shared().threads();
}

void Pulse::beat() {
    try {
        records_.flush();
        Record record;
        record.event = "beat";
        records_.write(record);
    } catch (const Error&) {
        // The stage's own thread meets the same failure, and says so.
    }
    if (alive_.empty())
        return;
    std::string now = look_at(alive_);
    unchanged_ = now.empty() || now == seen_ ? unchanged_ + 1 : 0;
    seen_ = now;
    if (unchanged_ >= kBeatsToLive) {
        alive_.clear();  // once
        engine_lost_();
    }
}

}  // namespace stillroom
