#pragma once

#include "plugins/lm/tokenizer/vocabulary.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// A token and the bytes of the word that it stands for.
struct Token {
    std::uint32_t id = 0;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
};

class WordCache;

/// What makes tokens of words. Const and thread-safe.
class Model {
public:
    virtual ~Model();

    /// Appends the tokens of a word, which is not empty.
    virtual void encode(std::string_view word, std::vector<Token>& out) const = 0;

    /// The ids alone, by what `cache` remembers where it can. `readable`: the end of the bytes that
    /// may be looked at, at or behind the word's.
    virtual void encode_ids(std::string_view word,
                            const char* readable,
                            WordCache& cache,
                            std::vector<std::uint32_t>& out) const;

    /// The same of several words of one text, each up to its end, one behind the other from `begin`
    /// on: what is remembered of all of them is fetched at once.
    virtual void encode_words(std::string_view text,
                              std::size_t begin,
                              std::span<const std::size_t> ends,
                              WordCache& cache,
                              std::vector<std::uint32_t>& out) const;
};

}  // namespace stillroom::lm
