#include "plugins/prune/choices.h"

#include <algorithm>
#include <cmath>

namespace stillroom::prune {

std::int64_t make_divisible(std::int64_t value, std::int64_t step) {
    double half = static_cast<double>(value) + static_cast<double>(step) / 2;
    auto nearest = static_cast<std::int64_t>(half / static_cast<double>(step)) * step;
    std::int64_t out = std::max(step, nearest);
    if (static_cast<double>(out) < 0.9 * static_cast<double>(value))
        out += step;
    return out;
}

std::vector<std::int64_t> choices(std::int64_t most, std::int64_t step) {
    std::vector<std::int64_t> out;
    // Of 1 ... most, make_divisible leaves multiples alone and makes multiples of all others.
    for (std::int64_t value = step; value <= most; value += step)
        out.push_back(make_divisible(value, step));
    if (out.empty() || out.back() != most)
        out.push_back(most);
    return out;
}

std::vector<std::int64_t> kept(const std::vector<std::int64_t>& ascending, double share) {
    double cut = std::floor((1 - share) * static_cast<double>(ascending.size()));
    if (ascending.size() < 2)
        return ascending;
    auto first = std::min(static_cast<std::size_t>(cut), ascending.size() - 1);
    return {ascending.begin() + static_cast<std::ptrdiff_t>(first), ascending.end()};
}

std::vector<std::int64_t> around(const std::vector<std::int64_t>& ascending, std::int64_t value) {
    std::vector<std::int64_t> out;
    auto above = std::lower_bound(ascending.begin(), ascending.end(), value);
    if (above != ascending.begin())
        out.push_back(*std::prev(above));
    if (above != ascending.end())
        out.push_back(*above);
    return out;
}

}  // namespace stillroom::prune
