#pragma once

#include "engine/base/api.h"
#include "engine/base/digest.h"
#include "plugins/lm/train/training_point.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::lm {

// A training leaves its states in its stage's work folder:
//
//   checkpoints/step-00000100/  config.json and small files, the model's shards and their index: a
//                               model folder; optimizer-00001.safetensors; state.json;
//                               manifest.json with the size and digest of all of them
//   latest                      "step-00000100"
//
// A folder gets its name when all of it is on the disk, so one that is not as its manifest says was
// damaged later. The newest whole one counts, whatever `latest` says: that file is for people, and
// comes a moment after the folder.

struct StateManifest {
    std::string stage;                           ///< what was trained: the stage's own digest
    std::string build;                           ///< of the program that wrote it
    std::map<std::string, std::int64_t> layout;  ///< {"tensor", 2}: of the ranks that wrote it
    std::vector<FileRecord> files;               ///< all but the manifest, by plain names
};

struct FoundState {
    std::filesystem::path folder;
    TrainingPoint point;
    StateManifest manifest;
    std::vector<std::string> passed_over;  ///< sentences: damaged ones that are newer
};

struct FindState {
    bool strict = false;
    unsigned threads = 1;  ///< that read the files, all of each
    /// Throws Error for a state that is whole, but not of this training.
    std::function<void(const FoundState&)> check = {};
};

/// The newest whole state; nothing where none was ever written. Throws Error (exit 9) if there are
/// states and all are damaged; `strict`: if one that would have counted is.
STILLROOM_API std::optional<FoundState> find_state(const std::filesystem::path& work,
                                                   const FindState& how);

/// One that another rank has found.
struct StatePart {
    std::filesystem::path folder;
    TrainingPoint point;
};
STILLROOM_API StatePart open_state(const std::filesystem::path& work, std::int64_t step);

// For who writes them.

inline constexpr const char* kCheckpoints = "checkpoints";
inline constexpr const char* kLatest = "latest";
inline constexpr const char* kManifest = "manifest.json";
inline constexpr const char* kState = "state.json";

std::string step_name(std::int64_t step);                      ///< "step-00000100"
std::optional<std::int64_t> step_of(const std::string& name);  ///< nothing: no such name
std::string manifest_text(const StateManifest& manifest);

}  // namespace stillroom::lm
