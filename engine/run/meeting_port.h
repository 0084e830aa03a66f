#pragma once

#include "engine/base/api.h"
#include "engine/base/descriptor.h"

namespace stillroom {

/// A port of this host for the ranks of a stage to meet at. As long as this lives the system gives
/// it to no other process that asks for any port or connects to somebody; rank 0, which listens
/// there with SO_REUSEADDR as every server does, can have it. Ranks take a second or more to load
/// what they need, in which others open many sockets.
class STILLROOM_API MeetingPort {
public:
    MeetingPort();  ///< Throws Error (exit 7)

    int number() const { return number_; }

private:
    Descriptor socket_;
    int number_ = 0;
};

}  // namespace stillroom
