#pragma once

#include "engine/base/api.h"
#include "engine/base/digest.h"
#include "engine/recipe/check.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

inline constexpr int kKeyFormat = 1;

/// What decides a stage's result beside what its recipe says.
struct KeyParts {
    std::map<std::string, std::vector<std::string>> inputs;  ///< port -> content digests, in order
    std::map<std::string, std::string> outside;  ///< see outside_paths -> content digest
    std::map<std::string, std::string> reads;    ///< file name -> digest, see RunContext::reads
    std::string plugin_build;  ///< only of a plugin whose stages have no x-version
    std::string nonce;         ///< of `cache: false`: the run's id
};

/// The files that a stage said it reads, in place of any before: known by their names alone,
/// wherever they lie.
STILLROOM_API void add_reads(KeyParts& parts, const std::vector<FileRecord>& files);

/// The fields of the key as canonical JSON (RFC 8785): format, use, version, settings, inputs,
/// outside, reads, env, device. No name, path, time, layout or launcher, no secret. A setting with
/// `x-path: input` that `parts.outside` does not know stands among the settings as its text.
STILLROOM_API std::string key_record(const CheckedStage& stage, const KeyParts& parts);

/// 64 hex digits.
STILLROOM_API std::string key_of(const std::string& record);

/// Under which the store remembers the sources of a stage: by the record that knows no content yet
/// and by where its paths lead, since the same relative path means another file elsewhere.
STILLROOM_API std::string binding_id_of(const CheckedStage& stage, const std::string& record);

/// "data.train" and "file" make "data.train.file"; a dot inside a key is written '\.'.
std::string path_below(const std::string& path, std::string_view key);

/// A path among the settings of a stage, wherever it stands in them.
struct OutsidePath {
    std::string setting;  ///< "source", "files.0", "data.train.file"
    std::string text;     ///< the path without `file:`, or with its scheme as it stands
    bool local = true;    ///< false: has a scheme (hf:, pypi:, ...), only the stage can read it
    Span where;
};

/// The values with `x-path: input`, in the order of the settings. Empty texts are left out.
STILLROOM_API std::vector<OutsidePath> outside_paths(const CheckedStage& stage);

/// The same with `x-path: output`, which no key holds; absolute.
STILLROOM_API std::vector<OutsidePath> written_paths(const CheckedStage& stage);

/// One field in which two records differ, as JSON text; empty: not there.
struct FieldChange {
    std::string field;  ///< "settings.steps", "inputs.model", "version"
    std::string before;
    std::string after;
};

/// In the order in which they are told: version, settings, outside, inputs, reads, env, device,
/// others. A text that is no record equals nothing.
STILLROOM_API std::vector<FieldChange> compare_records(const std::string& before,
                                                       const std::string& after);

/// Where the recipe says this field: the setting, the port's reference, the stage's name for what
/// is not written.
STILLROOM_API Span field_place(const CheckedStage& stage, std::string_view field);

}  // namespace stillroom
