#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/vectors.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace stillroom::lm {

// A row of logits, of which a token is drawn. A vocabulary is long and nearly all of it unlikely:
// what goes over all words is done by vectors, and only likely ones are looked at one by one.

/// The row's largest number, part by part; NaN where there is one.
class STILLROOM_API Peaks {
public:
    Peaks(Tier tier, std::span<const float> logits);

    float most() const { return most_; }

    /// The words of at least `least`, by their numbers. None is NaN.
    void collect(float least, std::vector<std::int32_t>& words) const;

private:
    std::span<const float> logits_;
    std::vector<float> parts_;
    float most_;
};

/// Sum of e^(x - most)/temperature; no x is above `most`.
STILLROOM_API double sum_of_weights(Tier tier,
                                    std::span<const float> logits,
                                    float most,
                                    double temperature);

}  // namespace stillroom::lm
