#pragma once

#include "engine/store/store.h"

#include <filesystem>
#include <set>

namespace stillroom {

// Files that an entry refers to and does not hold: a link in its output stands for what it leads
// to. The digest is that of the contents, so an entry is the same wherever they lie.

bool is_link(const std::filesystem::path& path);

/// What `link` leads to; its path is absolute. A file of another entry is what that entry's
/// manifest says, any other one what is remembered of it by its stamp, unless `verify` asks for
/// more. Throws Error (exit 3).
FileRecord linked_file(const Store& store,
                       const std::filesystem::path& link,
                       Verify verify,
                       unsigned threads);

/// The same for a link that may stand in an output: to a file of an entry or of `sources`, whose
/// paths are canonical. Throws Error (exit 3) for any other.
FileRecord permitted_file(const Store& store,
                          const std::filesystem::path& link,
                          const std::set<std::filesystem::path>& sources,
                          unsigned threads);

/// Makes the link lead there as from `entry`, where it will lie as `inside`: by a relative path to
/// what is in the store, so that both can move together. Throws Error (exit 4).
void settle_link(const Store& store,
                 const std::filesystem::path& link,
                 const std::filesystem::path& target,
                 const std::filesystem::path& inside);

}  // namespace stillroom
