#pragma once

#include "engine/store/store.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace stillroom {

/// What a path of the settings holds, as far as it is known without reading much.
struct Outside {
    std::string digest;  ///< empty: not known
    std::vector<std::filesystem::path> unread;
    std::string missing;  ///< why there is nothing to read; empty: there is
};

struct OutsideOptions {
    Verify verify = Verify::sizes;
    std::uint64_t hash_at_most = 0;  ///< bytes of the whole that may be read now
    unsigned threads = 1;
    const std::map<std::string, std::string>* known = nullptr;  ///< absolute path -> digest
};

/// False where neither the path nor files that begin with it are there.
bool is_there(const std::filesystem::path& path);

/// Files are known by their content, folders by names and contents. A path that is the common
/// beginning of `.bin` and `.idx` stands for both.
Outside look_outside(const std::filesystem::path& path,
                     const Store& store,
                     const OutsideOptions& options);

}  // namespace stillroom
