#pragma once

#include "plugins/lm/tokenizer/tokenizer.h"

namespace stillroom::lm {

/// Decodes ids as they come. All that push() and finish() return, joined, is what decode() returns
/// for the whole list; each piece is valid UTF-8, so a character in several tokens waits for the
/// last of them.
class STILLROOM_API StreamDecoder {
public:
    explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = false);
    ~StreamDecoder();
    StreamDecoder(StreamDecoder&&) noexcept;
    StreamDecoder& operator=(StreamDecoder&&) noexcept;

    /// Throws Error (exit 3) for an id that is none.
    std::string push(std::uint32_t id);
    std::string finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace stillroom::lm
