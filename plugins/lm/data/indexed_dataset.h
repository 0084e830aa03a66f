#pragma once

#include "plugins/lm/weights/mapped_file.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace stillroom::lm {

/// How the tokens of a `.bin` file are stored, by Megatron's numbers.
enum class TokenType : std::uint8_t { u8 = 1, i8, i16, i32, i64, f64, f32, u16 };

int bytes_of(TokenType type);

/// What the first bytes of an index say.
struct IndexSummary {
    TokenType type = TokenType::i32;
    std::int64_t sequences = 0, documents = 0, tokens = 0;
};

/// Without reading the index, which may be long. `prefix` as below. Throws Error (exit 3) where the
/// two files cannot belong together.
STILLROOM_API IndexSummary summarize_index(const std::filesystem::path& prefix);

/// A pair of files in Megatron's format, PREFIX.bin and PREFIX.idx: sequences of token ids, which
/// make documents. Opening it reads the index, which must agree with itself and with the size of
/// the `.bin`; tokens are read when they are asked for.
class STILLROOM_API IndexedDataset {
public:
    /// `prefix` with or without ".idx" or ".bin". Throws Error (exit 3) naming the file and why.
    static IndexedDataset open(const std::filesystem::path& prefix);

    const std::filesystem::path& prefix() const { return prefix_; }
    TokenType type() const { return type_; }
    std::int64_t sequences() const { return static_cast<std::int64_t>(ends_.size()); }
    std::int64_t documents() const { return static_cast<std::int64_t>(bounds_.size()) - 1; }
    std::int64_t tokens() const { return ends_.empty() ? 0 : ends_.back(); }

    /// Tokens of a sequence, counted over the whole file: [first, last).
    std::int64_t first_token(std::int64_t sequence) const {
        return sequence == 0 ? 0 : ends_[static_cast<std::size_t>(sequence) - 1];
    }
    std::int64_t last_token(std::int64_t sequence) const {
        return ends_[static_cast<std::size_t>(sequence)];
    }
    std::int64_t length(std::int64_t sequence) const {
        return last_token(sequence) - first_token(sequence);
    }

    /// Running sums of the lengths, one for each sequence.
    std::span<const std::int64_t> ends() const { return ends_; }

    /// The sequences of a document: [bounds[i], bounds[i + 1]).
    std::span<const std::int64_t> document_bounds() const { return bounds_; }

    /// Copies tokens from `first` on, counted over the whole file. Throws Error (exit 3) if one is
    /// negative or not below `vocab`, naming it and where it stands.
    void read(std::int64_t first, std::span<std::int32_t> into, std::int64_t vocab) const;

private:
    IndexedDataset(MappedFile bin) : bin_(std::move(bin)) {}

    std::filesystem::path prefix_;
    MappedFile bin_;
    TokenType type_ = TokenType::i32;
    std::vector<std::int64_t> ends_;  // running sums of the lengths
    std::vector<std::int64_t> bounds_;
};

}  // namespace stillroom::lm
