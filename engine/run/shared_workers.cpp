#include "engine/run/shared_workers.h"

#include "engine/base/descriptor.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/units.h"
#include "engine/run/child.h"
#include "engine/run/lifeline.h"
#include "engine/run/packet.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace stillroom {
namespace {

constexpr auto kFarewell = std::chrono::milliseconds(500);
constexpr long kMostMemory = 512L << 10;  // KiB; what more there was may be what a stage left

/// What workers of one kind have in common: their plugin, where it comes from, and how many threads
/// its libraries were told to use.
std::string kind_of(const Job& job) {
    std::string kind =
        fmt::format("{}\n{}", std::string_view(job.use).substr(0, job.use.find('.')), job.threads);
    for (const std::filesystem::path& place : job.plugins)
        kind.append("\n").append(place.native());
    return kind;
}

/// How many descriptors are open. The kernel says so since 6.2; before, they are listed.
long count_files() {
    struct stat files {};
    if (::stat("/proc/self/fd", &files) == 0 && files.st_size > 0)
        return files.st_size;
    return std::ssize(list_folder("/proc/self/fd")) - 1;  // less the one that lists
}

std::string working_folder() {
    char folder[4096];
    return ::getcwd(folder, sizeof folder) ? folder : "";
}

int count_threads() {
    struct stat tasks {};
    return ::stat("/proc/self/task", &tasks) == 0 ? static_cast<int>(tasks.st_nlink) - 2 : 0;
}

bool has_children() {
    siginfo_t child{};
    return ::waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

}  // namespace

class SharedWorkers::Worker {
public:
    explicit Worker(const std::filesystem::path& program) {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
            throw Error({}, fmt::format("no socket for a worker: {}", std::strerror(errno)))
                .exit_code(kExitResource);
        socket_ = Descriptor(ends[0]);
        Descriptor theirs(ends[1]);
        std::vector<std::string> words{program.native(),
                                       "worker",
                                       std::string(kSharedFlag),
                                       "--parent",
                                       std::to_string(::getpid())};
        process_ = std::make_unique<Child>(words, "/dev/null", theirs.get());
        // A child of the worker may hold the socket open when the worker has gone.
        either_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
        for (int one : {socket(), process_->descriptor()}) {
            epoll_event event{};
            event.events = EPOLLIN;
            if (one >= 0 && ::epoll_ctl(either_.get(), EPOLL_CTL_ADD, one, &event) != 0)
                throw Error({}, fmt::format("cannot watch a worker: {}", std::strerror(errno)))
                    .exit_code(kExitResource);
        }
    }

    const std::string& kind() const { return kind_; }  ///< empty: it had no job yet
    int socket() const { return socket_.get(); }
    int either() const { return either_.get(); }  ///< readable when it says something, or has gone
    Child& process() { return *process_; }
    bool begin(const std::string& kind, const std::string& job, int output) {
        kind_ = kind;
        return send_packet(socket(), job, output);
    }

    /// It goes once it reads that nobody wants more; who does not is killed.
    void end() { socket_.close(); }
    void await_end() {
        if (!process_->poll())
            wait_for_any({process_->descriptor()}, kFarewell);
    }

private:
    std::string kind_;
    Descriptor socket_;
    Descriptor either_;
    std::unique_ptr<Child> process_;
};

/// One job of a worker: over when the worker says so, or is no more.
class SharedWorkers::Turn final : public Process {
public:
    Turn(std::unique_ptr<Worker> worker, std::shared_ptr<std::vector<std::unique_ptr<Worker>>> free)
        : worker_(std::move(worker)),
          free_(std::move(free)) {}

    const std::optional<Exit>& poll() override {
        if (exit_)
            return exit_;
        char word = 0;
        if (::recv(worker_->socket(), &word, 1, MSG_DONTWAIT) != 1) {
            exit_ = worker_->process().poll();
            return exit_;
        }
        exit_.emplace().time = utc_now();
        free_->push_back(std::move(worker_));
        return exit_;
    }
    const std::optional<Exit>& ended() const override { return exit_; }
    void signal(int number) override {
        if (worker_)
            worker_->process().signal(number);
    }
    void kill() override {
        if (worker_)
            worker_->process().kill();
    }
    int descriptor() const override { return worker_->either(); }
    std::string host() const override { return {}; }

private:
    std::unique_ptr<Worker> worker_;
    std::shared_ptr<std::vector<std::unique_ptr<Worker>>> free_;
    std::optional<Exit> exit_;
};

SharedWorkers::SharedWorkers(std::filesystem::path program)
    : program_(std::move(program)),
      free_(std::make_shared<std::vector<std::unique_ptr<Worker>>>()) {}

SharedWorkers::~SharedWorkers() {
    for (const auto& worker : *free_)
        worker->end();
    for (const auto& worker : *free_)
        worker->await_end();
    free_->clear();
}

void SharedWorkers::expect(std::size_t count) {
    while (free_->size() < count)
        free_->push_back(std::make_unique<Worker>(program_));
}

bool SharedWorkers::take(const Job& job) {
    return job.shares_process && job.ranks == 1 && job.environment.empty() && job.inject.empty();
}

std::unique_ptr<SharedWorkers::Worker> SharedWorkers::free_worker(const std::string& kind) {
    // The one that was busy last is the one whose memory is warm; those that never were stand
    // first.
    for (std::size_t i = free_->size(); i-- > 0;) {
        if (!(*free_)[i]->kind().empty() && (*free_)[i]->kind() != kind)
            continue;
        std::unique_ptr<Worker> worker = std::move((*free_)[i]);
        free_->erase(free_->begin() + static_cast<std::ptrdiff_t>(i));
        if (!worker->process().poll())
            return worker;
    }
    return nullptr;
}

std::unique_ptr<Process> SharedWorkers::start(const Job& job,
                                              const std::string& text,
                                              const std::filesystem::path& output) {
    Descriptor printed = open_output(output);
    std::string kind = kind_of(job);
    std::unique_ptr<Worker> worker = free_worker(kind);
    if (!worker || !worker->begin(kind, text, printed.get())) {
        worker = std::make_unique<Worker>(program_);
        if (!worker->begin(kind, text, printed.get()))
            throw Error({}, "a worker went before it was told what to do").exit_code(kExitResource);
    }
    return std::make_unique<Turn>(std::move(worker), free_);
}

Turns::Turns() : socket_(::fcntl(0, F_DUPFD_CLOEXEC, 3)), folder_(working_folder()) {
    Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ::dup2(nothing.get(), 0);
    nothing.close();
    files_ = count_files();
}

std::optional<std::string> Turns::next() {
    std::optional<Packet> job = receive_packet(socket_, stop_signalled);
    if (!job)
        return std::nullopt;
    Descriptor output(job->output);
    std::fflush(nullptr);
    ::dup2(output.get(), 1);
    ::dup2(output.get(), 2);
    return std::move(job->text);
}

/// A plugin's module, opened in the first turn, keeps the descriptor of its folder.
bool Turns::left_nothing() const {
    rusage used{};
    return !stop_signalled() && count_threads() == 1 + Pulse::threads() && !has_children() &&
           count_files() <= files_ + 1 && working_folder() == folder_ &&
           ::getrusage(RUSAGE_SELF, &used) == 0 && used.ru_maxrss <= kMostMemory;
}

void Turns::done() const {
    std::fflush(nullptr);
    char word = 1;
    (void)!::send(socket_, &word, 1, MSG_NOSIGNAL);
}

}  // namespace stillroom
