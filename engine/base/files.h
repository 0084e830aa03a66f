#pragma once

#include "engine/base/api.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// The whole of a regular file of at most `limit` bytes. Throws Error (exit 2) naming the path and
/// why: absent, a folder, a pipe, a device, too large, unreadable. The size is looked at before
/// reading.
STILLROOM_API std::string read_file(const std::filesystem::path& path, std::size_t limit);

/// Writes beside the final name, syncs, renames, syncs the folder. Throws Error (exit 4).
STILLROOM_API void write_file(const std::filesystem::path& path, std::string_view text);

/// Names in a folder, sorted; empty if there is no such folder.
STILLROOM_API std::vector<std::string> list_folder(const std::filesystem::path& folder);

/// True if the path is the folder or lies below it. Both are canonical: nothing is looked up.
STILLROOM_API bool is_inside(const std::filesystem::path& path,
                             const std::filesystem::path& folder);

/// "~" and XDG folders. `HOME` unset: the password database's; neither: ./.stillroom.
STILLROOM_API std::filesystem::path home_folder();
STILLROOM_API std::filesystem::path config_folder();  ///< $XDG_CONFIG_HOME/stillroom
STILLROOM_API std::filesystem::path cache_folder();   ///< $XDG_CACHE_HOME/stillroom

/// The value, or an empty string if it is not set.
STILLROOM_API std::string environment(const char* name);

/// The path of the running program.
STILLROOM_API std::filesystem::path program_path();

}  // namespace stillroom
