#pragma once

#include "engine/base/api.h"
#include "plugins/lm/tokenizer/tokenizer.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace stillroom::lm {

/// What stands for one answer: the likelihood of `targets` one after another, each foreseen by a
/// token of a path; the last of them by the path's last token.
struct AskedChoice {
    std::size_t path = 0;
    std::vector<std::int32_t> targets;
};

/// A question as tokens.
struct Asked {
    std::size_t group = 0;  ///< questions of one group share a beginning
    std::vector<std::vector<std::int32_t>> paths = {};  ///< what the model reads; no two are equal
    std::vector<AskedChoice> choices = {};
    bool cut = false;  ///< a path was longer than the model reads, and lost its beginning

    /// All answers are single tokens at one place: their logits are enough to compare them.
    bool one_place() const {
        for (const AskedChoice& choice : choices)
            if (choice.targets.size() != 1 || choice.path != choices.front().path)
                return false;
        return true;
    }
};

/// The last tokens of " A", " B" and so on. Throws Error (exit 3) where the tokenizer lacks one or
/// two are equal: then it cannot be told which letter the model means.
STILLROOM_API std::vector<std::int32_t> letter_ids(const Tokenizer& tokenizer, std::size_t count);

/// A prompt that is answered by one of these ids.
STILLROOM_API Asked ask_ids(const Tokenizer& tokenizer,
                            std::string_view prompt,
                            std::span<const std::int32_t> ids,
                            std::size_t longest);

/// How lm-eval asks: the choices are texts that go on from a context, one for all or one for each.
/// Blanks at a context's end move to what follows; context and continuation are cut into tokens
/// together, and what is beyond the tokens of the context alone is the continuation. More than
/// `longest` tokens lose their beginning.
STILLROOM_API Asked ask_continuations(const Tokenizer& tokenizer,
                                      const std::vector<std::string>& contexts,
                                      const std::vector<std::string>& continuations,
                                      std::size_t longest);

}  // namespace stillroom::lm
