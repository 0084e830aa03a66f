#pragma once

#include "engine/base/api.h"

#include <string>
#include <string_view>

namespace stillroom {

/// Who owns unfinished work: a process, told apart from every other one of any host and time.
struct Owner {
    std::string host;
    std::string boot;  ///< boot id of the host, and the namespace in which `pid` counts
    long pid = 0;
    long long started = 0;  ///< in ticks since boot: a pid is used again
    std::string nonce;
    std::string since;  ///< RFC 3339 UTC
};

enum class Life { alive, dead, unknown };

/// This process; with a new nonce and the time.
STILLROOM_API Owner this_process();

/// Whether the owner's process still is. Unknown for another host, or where it cannot be seen.
STILLROOM_API Life life_of(const Owner& owner);

/// "process 4242 on node01", for messages.
STILLROOM_API std::string describe(const Owner& owner);

/// A name for something temporary, and the owner that stands in it.
STILLROOM_API std::string temporary_name(const Owner& owner);
STILLROOM_API Owner owner_in_name(std::string_view name);

}  // namespace stillroom
