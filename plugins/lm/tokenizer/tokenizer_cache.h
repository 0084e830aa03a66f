#pragma once

#include "plugins/lm/tokenizer/tokenizer_parts.h"

#include <filesystem>

namespace stillroom::lm {

/// A large tokenizer.json, and what reading it left in `cache` for the next time: its compiled form
/// by the digest of its content, and by its stamp that digest, so that an unchanged file is not
/// even read. The newest few are kept. A cache that cannot be written, or holds what it should not,
/// only costs time. Null: a file to be read in the ordinary way. A file that was changed less than
/// `settled_ns` ago may change again within the same tick of its clock, and is read.
std::shared_ptr<TokenizerParts> read_by_cache(const std::filesystem::path& file,
                                              const std::filesystem::path& cache,
                                              std::int64_t settled_ns = 2'000'000'000);

/// Of a smaller file reading takes no longer than a cache.
inline constexpr std::size_t kLeastCached = std::size_t{1} << 20;

}  // namespace stillroom::lm
