#include "plugins/lm/modules/sampling.h"

#include "engine/base/error.h"
#include "plugins/lm/kernels/likely.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace stillroom::lm {
namespace {

// Words less likely than the likeliest by e^-kFirstDepth are looked at only where the draw gets to
// them, and beyond e^-kLastDepth a weight is 0.
constexpr double kFirstDepth = 4, kLastDepth = 1000;

}  // namespace

void check_sampling(const Sampling& sampling) {
    if (!(sampling.temperature >= 0) || !std::isfinite(sampling.temperature))
        throw Error({}, fmt::format("temperature {}: 0 or more", sampling.temperature))
            .exit_code(kExitUsage);
    if (sampling.top_k < 0)
        throw Error({}, fmt::format("top_k {}: 0 (all tokens) or more", sampling.top_k))
            .exit_code(kExitUsage);
    if (!(sampling.top_p > 0 && sampling.top_p <= 1))
        throw Error({}, fmt::format("top_p {}: above 0, at most 1", sampling.top_p))
            .exit_code(kExitUsage);
}

std::int64_t take_token(std::span<const float> logits, const Sampling& sampling, double uniform) {
    Tier tier = best_tier();
    Peaks peaks(tier, logits);
    if (!std::isfinite(peaks.most()))
        throw Error({}, "the model gives no token a finite probability").exit_code(kExitNumeric);
    double best = peaks.most(), temperature = sampling.temperature;
    std::vector<std::int32_t> order;
    if (temperature == 0) {
        peaks.collect(peaks.most(), order);
        return order.front();
    }
    auto before = [&](std::int32_t a, std::int32_t b) {
        return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
    };
    std::size_t most = logits.size();
    double sum = 0;  // of the weights of all that may be taken
    if (sampling.top_k > 0 && static_cast<std::size_t>(sampling.top_k) < most)
        most = static_cast<std::size_t>(sampling.top_k);
    else
        sum = sum_of_weights(tier, logits, peaks.most(), temperature);
    for (double depth = kFirstDepth;; depth *= 2) {
        bool deepest = depth > kLastDepth;
        constexpr float kLowest = std::numeric_limits<float>::lowest();
        double least = deepest ? kLowest : std::max(best - depth * temperature, double{kLowest});
        peaks.collect(static_cast<float>(least), order);
        bool all = deepest || order.size() >= most;
        std::sort(order.begin(), order.end(), before);
        order.resize(std::min(order.size(), most));
        std::vector<double> below;  // weights of the tokens up to and with each
        double seen = 0;
        for (std::int32_t id : order)
            below.push_back(seen += std::exp((double{logits[static_cast<std::size_t>(id)]} - best) /
                                             temperature));
        double whole = all ? seen : sum;
        if (sampling.top_p < 1) {
            auto enough = std::lower_bound(below.begin(), below.end(), sampling.top_p * whole);
            if (enough == below.end() && !all)
                continue;
            if (enough != below.end())
                below.erase(enough + 1, below.end());
            whole = below.back();
        }
        auto taken = std::upper_bound(below.begin(), below.end(), uniform * whole);
        if (taken == below.end() && !all)
            continue;
        return order[static_cast<std::size_t>(
            std::min(taken - below.begin(), std::ssize(below) - 1))];
    }
}

}  // namespace stillroom::lm
