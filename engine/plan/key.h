#pragma once

#include "engine/base/api.h"
#include "engine/recipe/check.h"

#include <map>
#include <string>
#include <vector>

namespace stillroom {

inline constexpr int kKeyFormat = 1;

/// What decides a stage's result beside what its recipe says.
struct KeyParts {
    std::map<std::string, std::vector<std::string>> inputs;  ///< port -> content digests, in order
    std::map<std::string, std::string> outside;  ///< setting with x-path: input -> content digest
    std::map<std::string, std::string> reads;    ///< file name -> digest, see RunContext::reads
    std::string plugin_build;  ///< only of a plugin whose stages have no x-version
    std::string nonce;         ///< of `cache: false`: the run's id
};

/// The fields of the key as canonical JSON (RFC 8785): format, use, version, settings, inputs,
/// outside, reads, env, device. No name, path, time, layout or launcher.
STILLROOM_API std::string key_record(const CheckedStage& stage, const KeyParts& parts);

/// 64 hex digits.
STILLROOM_API std::string key_of(const std::string& record);

}  // namespace stillroom
