#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <span>

namespace stillroom::lm {

/// How a token is taken from the logits. They are divided by the temperature, then cut to the top_k
/// most likely, then to the fewest whose shares reach top_p.
struct Sampling {
    double temperature = 0;  ///< 0: the most likely token
    std::int64_t top_k = 0;  ///< 0: all
    double top_p = 1;        ///< 1: all
    std::uint64_t seed = 0;
};

/// Throws Error (exit 2) for settings that mean nothing.
STILLROOM_API void check_sampling(const Sampling& sampling);

/// The token that `uniform`, in [0, 1), falls on; tokens lie in falling order, equal ones by id.
/// Throws Error (exit 6) where a logit is NaN or none is finite.
STILLROOM_API std::int64_t take_token(std::span<const float> logits,
                                      const Sampling& sampling,
                                      double uniform);

}  // namespace stillroom::lm
