#include "plugins/lm/modules/sampling.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace stillroom::lm {
namespace {

constexpr std::size_t kSorted = 256;

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

    double temperature = sampling.temperature;
    auto weight = [&](std::size_t id) {
        return std::exp((double{logits[id]} - double{logits[static_cast<std::size_t>(best)]}) /
                        temperature);
    };
    std::size_t most = logits.size();
    double sum = 0;  // of the weights of all that may be taken
    if (sampling.top_k > 0 && static_cast<std::size_t>(sampling.top_k) < most)
        most = static_cast<std::size_t>(sampling.top_k);
    else
        for (std::size_t id = 0; id < most; id++)
            sum += weight(id);
    // Few tokens share nearly everything: the others are sorted only where the draw gets to them.
    for (std::size_t count = std::min(most, kSorted);; count = std::min(most, 8 * count)) {
        bool all = count == most;
        std::vector<std::int32_t> order = most_likely(logits, count);
        std::vector<double> below;  // weights of the tokens up to and with each
        double seen = 0;
        for (std::int32_t id : order)
            below.push_back(seen += weight(static_cast<std::size_t>(id)));
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
