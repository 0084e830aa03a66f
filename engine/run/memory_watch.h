#pragma once

#include "engine/base/api.h"

#include <cstdint>

namespace stillroom {

/// Tells whether a process that got SIGKILL was killed for want of memory, as far as the kernel
/// lets us know: by its count of such kills in our control group, or by a peak near the limit.
class STILLROOM_API MemoryWatch {
public:
    MemoryWatch();  ///< counts from now on

    bool explains_kill(std::uint64_t peak) const;

private:
    std::uint64_t kills_ = 0;
    std::uint64_t limit_ = 0;  ///< bytes; 0: not known
};

}  // namespace stillroom
