#pragma once

#include "plugins/lm/kernels/vectors.h"

#include <cmath>
#include <vector>

/// Every tier that this processor has.
inline std::vector<stillroom::lm::Tier> tiers() {
    using stillroom::lm::Tier;
    std::vector<Tier> out;
    for (Tier tier : {Tier::baseline, Tier::avx2, Tier::avx512})
        if (tier <= stillroom::lm::best_tier())
            out.push_back(tier);
    return out;
}

inline std::vector<float> wave(std::size_t count, double step, double size) {
    std::vector<float> out;
    for (std::size_t i = 0; i < count; i++)
        out.push_back(static_cast<float>(size * std::sin(step * static_cast<double>(i + 1))));
    return out;
}
