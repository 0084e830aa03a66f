#pragma once

#include "plugins/lm/modules/decoder.h"
#include "plugins/lm/modules/sampling.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace stillroom::lm {

struct Generation {
    std::int64_t max_tokens = 128;
    std::vector<std::int64_t> stop_ids = {};  ///< end the text, and are not part of it
    Sampling sampling = {};
    /// Told each token as it comes; false ends the text with it, as a text that a reader of the
    /// decoded tokens waits for would.
    std::function<bool(std::int64_t id)> on_token = {};
};

enum class Ending : std::uint8_t { length, stop_id, reader };

struct Generated {
    std::vector<std::int64_t> ids;  ///< without the prompt
    Ending ending = Ending::length;
};

/// Goes on from a prompt of one token at least, keeping keys and values. Token n is drawn with the
/// random number n of the seed: a text does not depend on what else is generated.
STILLROOM_API Generated generate(const Decoder& decoder,
                                 std::span<const std::int64_t> prompt,
                                 const Generation& generation);

}  // namespace stillroom::lm
