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

class IdBuffer;
class WordCache;

/// What makes tokens of words. Const and thread-safe.
class Model {
public:
    virtual ~Model();

    /// What another of its kind can be made of again; false: nothing.
    virtual bool write(CompiledWriter&) const { return false; }

    /// Appends the tokens of a word, which is not empty.
    virtual void encode(std::string_view word, std::vector<Token>& out) const = 0;

    /// The ids alone of several words of one text, each up to its end, one behind the other from
    /// `begin` on, by what `cache` remembers where it can. `text` is read beyond the words.
    virtual void encode_words(std::string_view text,
                              std::size_t begin,
                              std::span<const std::uint32_t> ends,
                              WordCache& cache,
                              IdBuffer& out) const;
};

}  // namespace stillroom::lm
