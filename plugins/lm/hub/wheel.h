#pragma once

#include "engine/base/api.h"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// A file inside a wheel of a Python package index: `pypi:NAME==VERSION/PATH#sha256=HEX`.
struct WheelSource {
    std::string name;  ///< as written
    std::string version;
    std::string path;    ///< in the wheel
    std::string sha256;  ///< of the wheel, 64 hex digits; empty: not pinned
};

/// Throws Error (exit 2) saying what is wrong with the text.
STILLROOM_API WheelSource parse_wheel_source(std::string_view text);

struct WheelFile {
    std::filesystem::path file;         ///< in our cache
    std::string wheel_sha256;           ///< to pin it by
    std::vector<std::string> warnings;  ///< to be shown
};

/// The file, from our cache or from a wheel that pip fetches: nothing of it is built, nothing runs,
/// no other member is unpacked. Throws Error: exit 5 with the line to run where there is no pip or
/// no network, 9 for a wheel that is not the one pinned, 3 for one without that file, 4 for the
/// disk.
STILLROOM_API WheelFile fetch_wheel_file(const WheelSource& source,
                                         bool offline,
                                         const std::function<bool()>& cancelled);

}  // namespace stillroom::lm
