#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <optional>
#include <string>

namespace stillroom {

/// How a process ended.
struct Exit {
    int status = 0;           ///< of exit(), where it ended by itself
    int signal = 0;           ///< that ended it; 0: none did
    std::uint64_t peak = 0;   ///< bytes of memory that it had at most
    std::string time;         ///< when it was seen, as a record's
    std::uint64_t order = 0;  ///< of all processes of this engine, which ended before which
};

/// A process that was started for a rank: a child of ours, or of an agent on another host. It is
/// killed when the object goes.
class STILLROOM_API Process {
public:
    virtual ~Process();

    /// Set once it has ended.
    virtual const std::optional<Exit>& poll() = 0;
    virtual const std::optional<Exit>& ended() const = 0;

    virtual void signal(int number) = 0;
    virtual void kill() = 0;               ///< with all that it started, at once
    virtual int descriptor() const = 0;    ///< readable once it has ended; -1: none
    virtual std::string host() const = 0;  ///< empty: this one
};

}  // namespace stillroom
