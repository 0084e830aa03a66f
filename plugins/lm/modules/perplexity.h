#pragma once

#include "plugins/lm/modules/decoder.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace stillroom::lm {

/// A stretch of tokens that the model reads at once, of which it is asked for the last ones.
struct Window {
    std::int64_t begin = 0, end = 0;
    std::int64_t asked = 0;  ///< from this token on; never the first of a window: it has no context

    std::int64_t predicted() const { return end - asked; }
};

/// Windows of `length` tokens over a text of `tokens`, each `stride` after the one before: every
/// token is asked for once, with at least length - stride tokens before it. With a stride of
/// `length` they are rows of their own. Without `keep_short`, a last one that is cut off is left
/// out.
STILLROOM_API std::vector<Window> windows(std::int64_t tokens,
                                          std::int64_t length,
                                          std::int64_t stride,
                                          bool keep_short = true);

struct STILLROOM_API Losses {
    double sum = 0;      ///< of -ln p over all predicted tokens
    double squares = 0;  ///< of their squares
    std::int64_t tokens = 0;

    double mean() const;            ///< nats a token
    double perplexity() const;      ///< exp(mean)
    double standard_error() const;  ///< of the mean, tokens taken as independent
};

/// What the model loses on each window's tokens. Windows of one length are computed together, up to
/// `batch_tokens` tokens; how many never changes a loss beyond rounding. `progress` is told how
/// many windows are done and ends the work by returning false.
STILLROOM_API Losses losses_over(const Decoder& decoder,
                                 std::span<const std::int32_t> ids,
                                 const std::vector<Window>& windows,
                                 std::int64_t batch_tokens = 2048,
                                 const std::function<bool(std::size_t done)>& progress = {});

}  // namespace stillroom::lm
