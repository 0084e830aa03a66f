#pragma once

#include "plugins/lm/tokenizer/model.h"

#include <array>
#include <memory>
#include <optional>
#include <string>

namespace stillroom::lm {

/// Two tokens that become one; the lowest rank is tried first.
struct Merge {
    std::uint32_t left = 0;
    std::uint32_t right = 0;
    std::uint32_t made = 0;
    std::uint32_t rank = 0;
};

struct BpeSettings {
    std::optional<std::uint32_t> unknown;
    std::string prefix;  ///< of each character but a word's first
    std::string suffix;  ///< of a word's last character
    bool fuse_unknown = false;
    bool byte_fallback = false;
    bool ignore_merges = false;
};

/// Which merge a pair of tokens has: an open hash table.
class PairTable {
public:
    struct Entry {
        std::uint32_t left = 0;
        std::uint32_t right = 0;
        std::uint32_t rank = kNone;
        std::uint32_t made = 0;
    };
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;

    explicit PairTable(const std::vector<Merge>& merges);

    /// Null: they do not merge.
    const Entry* find(std::uint32_t left, std::uint32_t right) const {
        for (std::size_t i = hash(left, right) & mask_;; i = (i + 1) & mask_) {
            const Entry& entry = entries_[i];
            if (entry.rank == kNone)
                return nullptr;
            if (entry.left == left && entry.right == right)
                return &entry;
        }
    }

private:
    std::size_t hash(std::uint32_t left, std::uint32_t right) const;

    std::vector<Entry> entries_;
    std::size_t mask_ = 0;
    std::uint64_t seed_ = 0;
};

/// Byte-pair encoding. A short word merges by looking for the lowest rank again and again, a long
/// one by a heap, so that no text takes quadratic time.
class Bpe final : public Model {
public:
    /// Keeps a reference to the vocabulary.
    Bpe(const Vocabulary& vocabulary, const std::vector<Merge>& merges, BpeSettings settings);

    /// Reads words as plain bytes instead of spelled ones from now on; false (and no change) where
    /// the vocabulary lacks a byte or a setting looks at characters.
    bool read_bytes();

    void encode(std::string_view word, std::vector<Token>& out) const override;
    void encode_ids(std::string_view word,
                    const char* readable,
                    WordCache& cache,
                    std::vector<std::uint32_t>& out) const override;
    void encode_words(std::string_view text,
                      std::size_t begin,
                      std::span<const std::size_t> ends,
                      WordCache& cache,
                      std::vector<std::uint32_t>& out) const override;

private:
    struct Symbol {
        std::uint32_t id = 0;
        std::uint32_t size = 0;
    };

    bool whole(std::string_view word, std::uint32_t& id) const;
    void symbols_of(std::string_view word, std::vector<Symbol>& out) const;
    void characters_of(std::string_view word, std::vector<Symbol>& out) const;
    bool byte_symbols(std::string_view text, std::vector<Symbol>& out) const;
    void merge(std::vector<Symbol>& symbols) const;
    void merge_short(std::vector<Symbol>& symbols) const;
    void merge_long(std::vector<Symbol>& symbols) const;
    void find_borders(const std::vector<Merge>& merges);
    bool may_join(char32_t left, char32_t right) const;
    void encode_part(std::string_view word,
                     const char* readable,
                     WordCache& cache,
                     std::vector<std::uint32_t>& out) const;

    const Vocabulary& vocabulary_;
    PairTable pairs_;
    BpeSettings settings_;
    bool bytes_ = false;
    std::array<std::uint32_t, 256> byte_ids_{};      // of spelled bytes
    std::array<std::uint32_t, 256> fallback_ids_{};  // of <0x00> to <0xFF>
    std::vector<std::uint64_t> joins_;  // hashes of neighbours inside tokens; empty: no borders
};

}  // namespace stillroom::lm
