#pragma once

#include "plugins/lm/tokenizer/merge_long.h"
#include "plugins/lm/tokenizer/model.h"
#include "plugins/lm/tokenizer/neighbours.h"
#include "plugins/lm/tokenizer/pair_ranks.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::lm {

struct BpeSettings {
    std::optional<std::uint32_t> unknown;
    std::string prefix;  ///< of each character but a word's first
    std::string suffix;  ///< of a word's last character
    bool fuse_unknown = false;
    bool byte_fallback = false;
    bool ignore_merges = false;
};

/// Byte-pair encoding. Words are remembered. One that is not is divided where no token reaches
/// over; a part merges by looking for the lowest rank again and again, a window of it at a time, so
/// that no text takes quadratic time.
class Bpe final : public Model {
public:
    /// Keeps a reference to the vocabulary.
    Bpe(const Vocabulary& vocabulary, std::span<const Merge> merges, BpeSettings settings);
    Bpe(const Vocabulary& vocabulary, CompiledReader& in, BpeSettings settings);
    bool write(CompiledWriter& out) const override;

    /// Reads words as plain bytes instead of spelled ones from now on; false (and no change) where
    /// the vocabulary lacks a byte or a setting looks at characters.
    bool read_bytes();

    void encode(std::string_view word, std::vector<Token>& out) const override;
    void encode_words(std::string_view text,
                      std::size_t begin,
                      std::span<const std::uint32_t> ends,
                      WordCache& cache,
                      IdBuffer& out) const override;

private:
    /// Of a word, before anything merges.
    struct Symbol {
        std::uint32_t id = 0;
        std::uint32_t size = 0;  ///< bytes
    };
    struct Bytes;
    struct Symbols;
    struct Lookup;

    bool whole(std::string_view word, std::uint32_t& id) const;
    void symbols_of(std::string_view word, std::vector<Symbol>& out) const;
    void characters_of(std::string_view word, std::vector<Symbol>& out) const;
    bool byte_symbols(std::string_view text, std::vector<Symbol>& out) const;
    void find_bytes();
    bool has_bytes() const;
    void find_neighbours();
    void find_byte_neighbours(std::span<const Merge> merges);
    void find_byte_pairs(std::span<const Merge> merges);

    template <class Unknown>
    static void look_up(const char* text,
                        std::size_t begin,
                        std::span<const std::uint32_t> ends,
                        const char* readable,
                        std::uint64_t mark,
                        WordCache& cache,
                        IdBuffer& out,
                        Unknown unknown);
    static bool find_long(
        std::string_view word, bool part, const Lookup& look, WordCache& cache, IdBuffer& out);
    static void remember(std::string_view word,
                         bool part,
                         const Lookup& look,
                         std::size_t from,
                         WordCache& cache,
                         const IdBuffer& out);
    void encode_unknown(std::string_view word,
                        const Lookup& look,
                        const char* readable,
                        WordCache& cache,
                        IdBuffer& out) const;
    bool encode_divided(std::string_view word,
                        const char* readable,
                        WordCache& cache,
                        IdBuffer& out) const;
    void encode_parts(const char* text,
                      std::size_t begin,
                      std::span<const std::uint32_t> ends,
                      const char* readable,
                      WordCache& cache,
                      IdBuffer& out) const;
    void encode_merged(std::string_view word, IdBuffer& out) const;

    const Vocabulary& vocabulary_;
    PairRanks pairs_;
    BpeSettings settings_;
    bool bytes_ = false;
    std::array<std::uint32_t, 256> byte_ids_{};      // of spelled bytes
    std::array<std::uint32_t, 256> fallback_ids_{};  // of <0x00> to <0xFF>
    Table<std::uint32_t> byte_pairs_;                // ranks by first byte << 8 | second
    Neighbours neighbours_;                          // empty: words are not divided
    Neighbours byte_neighbours_;                     // until read_bytes()
};

}  // namespace stillroom::lm
