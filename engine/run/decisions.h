#pragma once

#include "engine/base/api.h"

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace stillroom {

/// What was settled when the work began: the class of machine, the thread count, and what each
/// `auto` became. It lies as decided.json in the stage's work folder, so that work which is gone on
/// with stays the same work. Rank 0 writes, the others read. For any thread.
class STILLROOM_API Decisions {
public:
    /// `seconds`: how long another rank waits for rank 0.
    Decisions(std::filesystem::path work, int rank, int threads, double seconds);

    /// Throws Error (exit 9) if the work was begun on another class of machine. What else differs,
    /// in words; empty: nothing.
    std::string compare(const std::string& machine) const;

    /// Makes the file: from now on this folder holds work of this machine.
    void begin();

    /// The earlier decision, else that of `decide`, which is then kept. Throws Error (exit 7) if
    /// rank 0 does not come to it.
    std::string decided(std::string_view name, const std::function<std::string()>& decide);

private:
    struct State {
        std::string machine;
        int threads = 0;
        std::map<std::string, std::string, std::less<>> values;
    };
    std::optional<State> read() const;
    void write(const State& state) const;

    std::filesystem::path file_;
    int rank_;
    int threads_;
    double seconds_;
    std::mutex mutex_;
    bool begun_ = false;
};

}  // namespace stillroom
