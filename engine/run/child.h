#pragma once

#include "engine/base/api.h"
#include "engine/base/descriptor.h"
#include "engine/run/process.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// A process of ours, the leader of a process group of its own, with no terminal: nothing on stdin,
/// what it prints goes to a file. It is killed with its group when the Child goes.
class STILLROOM_API Child final : public Process {
public:
    /// `words[0]` is the program's path. `output` is appended to. Variables that tell ranks apart
    /// are not handed on. Throws Error (exit 4). Call from a thread that lives as long as the
    /// process: the kernel tells a child that its parent died when that thread ends.
    Child(const std::vector<std::string>& words,
          const std::filesystem::path& output,
          int input = -1);  ///< for its stdin, in place of nothing

    /// Takes over a child of this process that was started another way, before anybody waits for
    /// it.
    explicit Child(int pid);
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() override;

    /// Set once it has ended; what it had started and left is then killed.
    const std::optional<Exit>& poll() override;
    const std::optional<Exit>& ended() const override { return exit_; }

    void signal(int number) override;  ///< to the process alone
    void kill() override;              ///< with its group, at once
    long pid() const { return pid_; }
    int descriptor() const override { return pidfd_; }
    std::string host() const override { return {}; }

private:
    void watch();

    int pid_ = 0;
    int pidfd_ = -1;
    std::optional<Exit> exit_;
};

/// What a process is to print to, appended to; made where it is absent. Throws Error (exit 4).
STILLROOM_API Descriptor open_output(const std::filesystem::path& file);

/// Waits until one of these descriptors is readable, a signal comes or the time is over. Where one
/// is -1 it looks again every few milliseconds.
STILLROOM_API void wait_for_any(const std::vector<int>& descriptors,
                                std::chrono::milliseconds most);

}  // namespace stillroom
