#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace stillroom::lm {

struct ZipLimits {
    std::uint64_t bytes = std::uint64_t{64} << 30;  ///< of the one file, unpacked
    std::uint64_t entries = 1'000'000;
    std::uint64_t ratio = 200;  ///< of its size to its packed size, from 1 MiB on
};

/// Takes one file out of a ZIP archive, by its exact name. Reads what leads to it and nothing else:
/// no other member is opened, and no name becomes a path. Stored and deflated members, ZIP64; what
/// is encrypted, cut, contradicts itself or stands there twice throws Error (exit 3), as does a
/// member that is not there. The bytes come in pieces, in order; when they have all come, their
/// CRC-32 was right.
STILLROOM_API void unzip_member(const std::filesystem::path& archive,
                                std::string_view member,
                                const std::function<void(std::string_view)>& take,
                                const ZipLimits& limits = {});

}  // namespace stillroom::lm
