#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace stillroom {

/// What keeps things in a store.
struct Pins {
    std::map<std::string, std::vector<std::string>> entries;  ///< key -> run folders, sorted
    std::set<std::string> work;         ///< keys of unfinished work that a run folder links to
    std::set<std::string> live;         ///< keys that a run at work links to
    std::set<std::string> live_work;    ///< keys somebody works on
    std::optional<std::int64_t> since;  ///< when the oldest run at work began: seconds since 1970
    std::vector<std::filesystem::path> gone;  ///< notes of run folders that are no more
};

Pins read_pins(const std::filesystem::path& store);

}  // namespace stillroom
