#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <string>

namespace stillroom {

/// "5.0 GB / 4.7 GiB"; below a kilobyte "812 bytes".
STILLROOM_API std::string size_text(std::uint64_t bytes);

/// RFC 3339 UTC with microseconds, so that texts compare like times.
STILLROOM_API std::string utc_text(std::int64_t seconds, std::int64_t nanoseconds);
STILLROOM_API std::string utc_now();

}  // namespace stillroom
