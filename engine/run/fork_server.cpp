#include "engine/run/fork_server.h"

#include "engine/base/error.h"
#include "engine/base/host.h"
#include "engine/base/units.h"
#include "engine/run/child.h"
#include "engine/run/packet.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace stillroom {
namespace {

constexpr std::size_t kTitle = 4096;  ///< bytes of a command line that are shown

/// A fork whose child is the caller's parent's. Only for a process with one thread. What the C
/// library keeps of a thread's number is set as its own fork would; where the kernel does not tell
/// the place, it stays the server's, which no other thread can have meanwhile.
pid_t fork_sibling() {
    int* number = nullptr;
    unsigned long flags = CLONE_PARENT | SIGCHLD;
    if (::prctl(PR_GET_TID_ADDRESS, &number, 0, 0, 0) == 0 && number)
        flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    return static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, nullptr, number, 0UL));
}

void show_title(std::span<char> title, std::string_view text) {
    std::fill(title.begin(), title.end(), '\0');
    if (!title.empty())
        std::copy_n(text.begin(), std::min(text.size(), title.size() - 1), title.begin());
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    for (std::size_t end = 0; (end = text.find('\0')) != std::string_view::npos;
         text.remove_prefix(end + 1))
        words.emplace_back(text.substr(0, end));
    return words;
}

}  // namespace

ForkServer::ForkServer(std::filesystem::path program) : program_(std::move(program)) {}

ForkServer::~ForkServer() {
    end();
}

void ForkServer::end() {
    if (socket_ >= 0)
        ::close(socket_);
    socket_ = -1;
    server_.reset();
}

/// From the second worker on: for one alone a server would only cost.
bool ForkServer::ready() {
    if (server_)
        return true;
    if (++asked_ < 2)
        return false;
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    socket_ = ends[0];
    // The last word holds the place of the workers' own command lines.
    std::vector<std::string> words{
        program_.native(), "worker", std::string(kForksFlag), std::string(kTitle, ' ')};
    try {
        server_ = std::make_unique<Child>(words, "/dev/null", ends[1]);
    } catch (const Error&) {
        ::close(ends[1]);
        end();
        return false;
    }
    ::close(ends[1]);
    return true;
}

std::optional<int> ForkServer::ask(const std::vector<std::string>& words, int output) {
    std::string text;
    for (const std::string& word : words)
        text.append(word).push_back('\0');
    if (text.size() > kLongestPacket || !send_packet(socket_, text, output))
        return std::nullopt;
    // The end of the stream comes only when neither the server is left nor a worker that has not
    // answered: then there is none, and another way to start it does not make two.
    int pid = 0;
    ssize_t count = 0;
    do
        count = ::recv(socket_, &pid, sizeof pid, 0);
    while (count < 0 && errno == EINTR);
    if (count != sizeof pid || pid <= 0)
        return std::nullopt;
    return pid;
}

std::unique_ptr<Process> ForkServer::start(const std::vector<std::string>& words,
                                           const std::filesystem::path& output) {
    if (!ready())
        return std::make_unique<Child>(words, output);
    if (std::optional<int> pid = ask(words, open_output(output).get()))
        return std::make_unique<Child>(*pid);
    end();
    return std::make_unique<Child>(words, output);
}

std::vector<std::string> serve_forks(std::span<char> title) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    machine_class(), utc_now();  // each worker asks, and has what that took to find out from here
    const int socket = 0;
    while (std::optional<Packet> request = receive_packet(socket)) {
        pid_t pid = fork_sibling();
        if (pid == 0) {
            show_title(title, request->text);
            // It answers itself, so that no worker is at work of which the engine does not know.
            pid = ::getpid();
            if (::send(socket, &pid, sizeof pid, MSG_NOSIGNAL) != sizeof pid)
                ::_exit(kExitRanks);
            ::setpgid(0, 0);
            ::dup2(request->output, 1);
            ::dup2(request->output, 2);
            int nothing = ::open("/dev/null", O_RDONLY);
            ::dup2(nothing, 0);
            ::close(nothing);
            ::close(request->output);
            std::vector<std::string> words = words_of(request->text);
            words.erase(words.begin(),
                        words.begin() + std::min<std::ptrdiff_t>(2, std::ssize(words)));
            return words;
        }
        ::close(request->output);
        if (pid < 0 && ::send(socket, &pid, sizeof pid, MSG_NOSIGNAL) != sizeof pid)
            break;
    }
    ::_exit(kExitOk);
}

}  // namespace stillroom
