#pragma once

#include "plugins/lm/tokenizer/json_cursor.h"
#include "plugins/lm/tokenizer/pair_ranks.h"
#include "plugins/lm/tokenizer/vocabulary.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// The merges of a tokenizer.json as texts: `["a b", ...]` or `[["a", "b"], ...]`. Reading them
/// takes no vocabulary, so that another thread can do it meanwhile.
class MergeTexts {
public:
    /// The list where the cursor stands, in a text that stays where it is. Throws Error (exit 3).
    explicit MergeTexts(JsonCursor& in);

    std::size_t begin() const { return begin_; }  ///< of the list, in the text
    std::size_t end() const { return end_; }

    /// `prefix`: bytes that go from the right part before it is joined. Throws Error (exit 3) where
    /// the vocabulary lacks a token.
    LargeVector<Merge> look_up(const Vocabulary& vocabulary, std::size_t prefix) &&;

private:
    /// Where a part stands: in the text, or in decoded_ what held escapes.
    struct Part {
        std::uint32_t begin = 0;
        std::uint32_t size = 0;  ///< its highest bit: in decoded_
    };
    static constexpr std::uint32_t kDecoded = 1u << 31;

    /// Two parts, until they are looked up in the place of what they become: to get other memory
    /// takes as long as all that is done with it.
    static Merge as_texts(Part left, Part right) {
        return {left.begin, right.begin, left.size, right.size};
    }
    static Part left_of(const Merge& texts) { return {texts.left, texts.made}; }
    static Part right_of(const Merge& texts) { return {texts.right, texts.rank}; }

    Part part(const JsonCursor& in, std::string_view text);
    Merge pair(JsonCursor& in);
    bool line(JsonCursor& in, Merge& out);
    std::string_view text_of(Part part) const;
    void look_up(const Vocabulary& vocabulary,
                 std::size_t prefix,
                 std::size_t from,
                 std::size_t to);

    JsonCursor at_begin_;  // for messages
    std::string_view text_;
    LargeVector<Merge> merges_;
    std::string decoded_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace stillroom::lm
