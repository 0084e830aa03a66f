#pragma once

#include "engine/base/api.h"
#include "engine/run/process.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace stillroom {

class Child;

// A worker that is executed reads and links its libraries again, which takes longer than the engine
// needs for everything else. So one more process of the program is started, loads what each worker
// needs, and from then on forks a worker whenever the engine asks. No plugin is opened there, no
// thread is started and nothing is read, so a forked worker begins as an executed one does. It is
// the engine's child all the same (CLONE_PARENT): the engine waits for it, and it dies with the
// engine. Without a server workers are executed, one by one, with the same result.

/// The engine's side. Use it on the thread that would start the workers itself.
class STILLROOM_API ForkServer {
public:
    explicit ForkServer(std::filesystem::path program);
    ForkServer(const ForkServer&) = delete;
    ForkServer& operator=(const ForkServer&) = delete;
    ~ForkServer();

    /// A worker with this command line, whose first two words are the program and `worker`. What it
    /// prints is appended to `output`. Throws Error (exit 4).
    std::unique_ptr<Process> start(const std::vector<std::string>& words,
                                   const std::filesystem::path& output);

private:
    bool ready();
    std::optional<int> ask(const std::vector<std::string>& words, int output);
    void end();

    std::filesystem::path program_;
    std::unique_ptr<Child> server_;
    int socket_ = -1;
    int asked_ = 0;
};

/// The flag after `worker` that makes it a server.
inline constexpr std::string_view kForksFlag = "--forks";

/// The server's side, on the socket that is its stdin. Returns in each worker, with the words after
/// `worker`; the server itself ends with the engine. `title` is the memory of the command line,
/// where a worker's own is then written for those who look at processes.
std::vector<std::string> serve_forks(std::span<char> title);

}  // namespace stillroom
