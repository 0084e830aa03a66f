#include "plugins/lm/tasks/subset.h"

#include "engine/base/sha256.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

namespace stillroom::lm {

std::vector<std::size_t> chosen(const Subset& subset, std::string_view subject, std::size_t count) {
    double share = subset.fraction * static_cast<double>(count);
    auto taken = std::min(count, static_cast<std::size_t>(std::ceil(std::max(share, 0.0))));
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    if (subset.rule == SubsetRule::stratified && taken < count) {
        std::vector<std::pair<std::string, std::size_t>> hashed;
        for (std::size_t index : order)
            hashed.emplace_back(sha256_hex(fmt::format("{}/{}/{}", subset.seed, subject, index)),
                                index);
        std::sort(hashed.begin(), hashed.end());
        std::transform(
            hashed.begin(), hashed.end(), order.begin(), [](auto& one) { return one.second; });
    }
    order.resize(taken);
    std::sort(order.begin(), order.end());
    return order;
}

}  // namespace stillroom::lm
