#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace stillroom::lm {

class Tokenizer;

/// What token files need to know of the tokenizer that made them.
struct VocabularyFacts {
    std::int64_t size = 0;             ///< the largest id + 1
    std::optional<std::uint32_t> eod;  ///< ends a document
    std::string digest;                ///< of its contents; empty: only a config.json is known
};

/// SHA-256 over what each id stands for and which of them are special: equal for two files that
/// mean the same, whatever their form.
STILLROOM_API std::string vocabulary_digest(const Tokenizer& tokenizer);

STILLROOM_API VocabularyFacts vocabulary_facts(const Tokenizer& tokenizer);

/// Of a folder with tokenizer files, else of its config.json; nothing where it has neither, as the
/// skeleton of a tokenizer may. Throws Error (exit 3) for files that cannot be read.
STILLROOM_API std::optional<VocabularyFacts> vocabulary_facts(const std::filesystem::path& folder);

}  // namespace stillroom::lm
