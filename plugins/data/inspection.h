#pragma once

#include "plugins/data/inspect_settings.h"
#include "plugins/lm/data/dataset_folder.h"
#include "plugins/lm/tokenizer/tokenizer.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stillroom::data {

/// Of documents, in tokens.
struct LengthStats {
    std::int64_t least = 0, most = 0, empty = 0;
    double mean = 0;
    std::vector<std::pair<int, std::int64_t>> percentiles;         ///< 10, 50, 90, 99
    std::vector<std::pair<std::int64_t, std::int64_t>> histogram;  ///< from so many on: documents
};

struct IdStats {
    std::int64_t scanned = 0;  ///< tokens that were read
    std::int64_t least = 0, most = 0, distinct = 0;
    std::map<std::int64_t, std::int64_t> special;  ///< id to how often, of special ones and the end
};

/// Ids with what they say, where a tokenizer is known.
struct ShownTokens {
    std::int64_t index = 0;  ///< of the document in its pair of files, or of the row
    std::int64_t length = 0;
    std::vector<std::int32_t> ids;     ///< the first ones
    std::vector<std::int32_t> bounds;  ///< of a row: where documents end in it
    std::optional<std::string> text;
};

struct PartInspection {
    std::string type;  ///< of the tokens on the disk
    std::int64_t documents = 0, sequences = 0, tokens = 0;
    std::uint64_t bytes = 0;
    LengthStats lengths;
    IdStats ids;
    std::vector<ShownTokens> shown;
};

struct Inspection {
    lm::DatasetInfo info;
    std::vector<PartInspection> parts;
    std::int64_t sequence = 0;
    std::int64_t samples = 0;  ///< of one pass over all parts
    std::vector<ShownTokens> rows;
    std::string no_rows;                        ///< why there are none
    std::map<std::int64_t, std::string> names;  ///< of the special ids that are counted
};

struct InspectionWatch {
    std::function<void(double done)> progress;  ///< may throw
};

/// Throws Error (exit 3) for a dataset that cannot be read, that holds an id outside its vocabulary
/// among what is looked at, or that another tokenizer made.
Inspection inspect(const std::filesystem::path& folder,
                   const InspectSettings& settings,
                   const lm::Tokenizer* tokenizer,
                   const InspectionWatch& watch);

std::string json_of(const Inspection& inspection);  ///< report.json
std::string text_of(const Inspection& inspection);  ///< the same for people, as Markdown

}  // namespace stillroom::data
