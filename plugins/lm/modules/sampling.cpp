#include "plugins/lm/modules/sampling.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace stillroom::lm {
namespace {

/// Tokens in falling order of their logits, `count` of them.
std::vector<std::int32_t> most_likely(std::span<const float> logits, std::size_t count) {
    std::vector<std::int32_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    auto before = [&](std::int32_t a, std::int32_t b) {
        return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
    };
    auto cut = order.begin() + static_cast<std::ptrdiff_t>(std::min(count, order.size()));
    if (cut != order.end())
        std::nth_element(order.begin(), cut, order.end(), before);
    order.erase(cut, order.end());
    std::sort(order.begin(), order.end(), before);
    return order;
}

std::int64_t greedy(std::span<const float> logits) {
    return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

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
    bool any_nan = std::any_of(logits.begin(), logits.end(), [](float x) { return std::isnan(x); });
    std::int64_t best = logits.empty() ? 0 : greedy(logits);
    if (logits.empty() || any_nan || !std::isfinite(logits[static_cast<std::size_t>(best)]))
        throw Error({}, "the model gives no token a finite probability").exit_code(kExitNumeric);
    if (sampling.temperature == 0)
        return best;

    std::size_t count =
        sampling.top_k > 0 ? static_cast<std::size_t>(sampling.top_k) : logits.size();
    std::vector<std::int32_t> order = most_likely(logits, count);
    std::vector<double> below;  // shares of the tokens up to and with each
    double sum = 0;
    for (std::int32_t id : order) {
        double from_best = double{logits[id]} - double{logits[order.front()]};
        sum += std::exp(from_best / sampling.temperature);
        below.push_back(sum);
    }
    if (sampling.top_p < 1) {
        auto enough = std::lower_bound(below.begin(), below.end(), sampling.top_p * sum);
        if (enough != below.end())
            below.erase(enough + 1, below.end());
    }
    auto taken = std::upper_bound(below.begin(), below.end(), uniform * below.back());
    return order[static_cast<std::size_t>(std::min(taken - below.begin(), std::ssize(below) - 1))];
}

}  // namespace stillroom::lm
