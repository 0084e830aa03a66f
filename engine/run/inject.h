#pragma once

#include "engine/base/api.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// What a test of faults does to a running stage.
struct Fault {
    enum class Kind {
        exception,  ///< a library's exception that nobody caught
        abort,
        segv,
        sigkill,
        sigstop,    ///< the process stands still
        hang,       ///< the stage stands still, its process beats on
        enospc,     ///< no space left on the device
        slow_io,    ///< this and every later step waits
        drop_rank,  ///< no step and no sign of life any more, as if the host were cut off
        exit,       ///< ends without a result
        nan_loss,   ///< the next loss of this rank is no number
        nan_grad,   ///< its next gradient
        no_memory,  ///< its device, or what computes there, refuses memory
        no_device   ///< its device is gone
    };
    std::int64_t step = 0;  ///< at which call of progress(), from 1; 0: before run()
    Kind kind = Kind::exception;
    int rank = -1;  ///< every one
};

/// "step:fault[:rank]". Throws Error (exit 2) naming the faults there are.
STILLROOM_API Fault read_fault(std::string_view text);

/// The faults of one rank. `go_silent` must stop the beats.
class STILLROOM_API Faults {
public:
    Faults(const std::vector<std::string>& texts, int rank, std::function<void()> go_silent);

    /// Does what is due at the next step; often does not return.
    void step();

    /// True once where that is due: "loss", "gradient", "memory", "device".
    bool spoils(std::string_view what);

private:
    void strike(Fault::Kind kind);

    std::vector<Fault> faults_;
    std::function<void()> go_silent_;
    std::atomic<std::int64_t> steps_{-1};
    std::atomic<bool> slow_{false};
    std::array<std::atomic<bool>, 4> spoiled_{};  ///< in the order of kSpoiled
};

}  // namespace stillroom
