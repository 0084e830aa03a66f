#pragma once

#include "engine/base/api.h"

#include <spawn.h>

#include <filesystem>
#include <string>
#include <vector>

namespace stillroom {

/// How every process of ours is started: the leader of a group of its own, without our descriptors
/// and our ways with signals (but deaf to SIGHUP where we are, as under nohup).
class STILLROOM_API SpawnPlan {
public:
    /// `output`: of both streams; `input`: -1 for nothing to read; `folder`: to work in, ours where
    /// it is empty.
    SpawnPlan(int output, int input, const std::filesystem::path& folder);
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;
    ~SpawnPlan();

    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
};

/// As exec takes words and variables; valid as long as they are.
STILLROOM_API std::vector<char*> exec_words(std::vector<std::string>& texts);

}  // namespace stillroom
