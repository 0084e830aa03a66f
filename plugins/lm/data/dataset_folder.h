#pragma once

#include "engine/base/api.h"
#include "plugins/lm/data/indexed_dataset.h"
#include "plugins/lm/data/vocabulary_facts.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::lm {

/// How many, as far as it is known: in the skeleton of a dataset that is still to be made a number
/// may be a range, or open.
struct Count {
    std::int64_t least = 0;
    std::optional<std::int64_t> most;

    static Count exactly(std::int64_t value) { return {value, value}; }
    bool known() const { return most == least; }
    bool operator==(const Count&) const = default;
};

STILLROOM_API Count operator+(const Count& a, const Count& b);

/// A pair of files of a dataset.
struct DatasetPart {
    /// Without ".bin" and ".idx"; a relative one belongs to the dataset's folder.
    std::filesystem::path prefix;
    std::string key;               ///< the field of the rows that it was made of; empty: not known
    std::optional<double> weight;  ///< in a blend with weights; all parts have one, or none
    Count documents, tokens;
};

/// What dataset.json says:
///
///     {"format": 1,
///      "prefixes": ["text_document"],            relative to the folder, or absolute
///      "weights": [0.7],                         of a blend with weights only
///      "keys": ["text"],                         "" where it is not known
///      "documents": [120], "tokens": [34567],    or {"least": 100, "most": 200}; no "most": open
///      "tokenizer": SHA-256, "vocabulary": 49152, "eod": 0,    each only where it is known
///      "source": ["wiki.jsonl"],                 names, for people
///      "skipped": 3}                             rows that were left out; only if there were some
struct DatasetInfo {
    std::vector<DatasetPart> parts;
    std::string tokenizer;                   ///< vocabulary_digest(); empty: not known
    std::optional<std::int64_t> vocabulary;  ///< ids are below it
    std::optional<std::uint32_t> eod;        ///< ends a document, where one was put there
    std::vector<std::string> source;
    std::int64_t skipped = 0;  ///< rows of the source that were none and were left out

    bool weighted() const { return !parts.empty() && parts.front().weight.has_value(); }
    STILLROOM_API Count documents() const;
    STILLROOM_API Count tokens() const;
    STILLROOM_API void describe_vocabulary(const VocabularyFacts& facts);
};

/// Of a dataset or of its skeleton. Throws Error (exit 3) naming the file and the key.
STILLROOM_API DatasetInfo read_dataset_info(const std::filesystem::path& folder);
STILLROOM_API bool has_dataset_info(const std::filesystem::path& folder);
STILLROOM_API void write_dataset_info(const std::filesystem::path& folder, const DatasetInfo& info);

/// An artifact, ready to be read.
struct DatasetFolder {
    DatasetInfo info;
    std::vector<IndexedDataset> parts;  ///< one for each of info.parts

    STILLROOM_API std::int64_t tokens() const;
    STILLROOM_API std::int64_t documents() const;
    /// What ids must be below when they are read: the dataset's own vocabulary, or `otherwise`.
    std::int64_t vocabulary(std::int64_t otherwise) const {
        return info.vocabulary.value_or(otherwise);
    }
};

/// Opens every part. Throws Error (exit 3): a file is not there, is damaged, or holds another
/// number of documents or tokens than dataset.json says.
STILLROOM_API DatasetFolder open_dataset(const std::filesystem::path& folder);

}  // namespace stillroom::lm
