#include "plugins/lm/data/blend_order.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numeric>

namespace stillroom::lm {
namespace {

/// numpy.sum of float64: eight sums side by side, halves where there are more than 128.
double numpy_sum(std::span<const double> values) {
    std::size_t count = values.size();
    if (count < 8)
        return std::accumulate(values.begin(), values.end(), 0.0);
    if (count > 128) {
        std::size_t half = count / 2;
        half -= half % 8;
        return numpy_sum(values.first(half)) + numpy_sum(values.subspan(half));
    }
    double r[8];
    std::copy_n(values.begin(), 8, r);
    std::size_t i = 8;
    for (; i < count - count % 8; i += 8)
        for (std::size_t j = 0; j < 8; ++j)
            r[j] += values[i + j];
    double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < count; ++i)
        sum += values[i];
    return sum;
}

/// Counts what each dataset gave.
class Greedy {
public:
    explicit Greedy(std::span<const double> weights)
        : weights_(weights),
          given_(weights.size(), 0),
          open_(weights.size()) {
        std::iota(open_.begin(), open_.end(), std::size_t{0});
    }

    /// Gives the next sample, in its dataset and beside.
    std::size_t give(BlendOrder& order) {
        double at = std::max(static_cast<double>(order.size()), 1.0);
        std::size_t best = open_.front();
        double most = std::numeric_limits<double>::lowest();
        for (std::size_t d : open_) {
            double behind = weights_[d] * at - static_cast<double>(given_[d]);
            if (behind > most) {
                most = behind;
                best = d;
            }
        }
        order.dataset.push_back(static_cast<std::int16_t>(best));
        order.sample.push_back(given_[best]++);
        return best;
    }
    std::int64_t given(std::size_t dataset) const { return given_[dataset]; }
    void close(std::size_t dataset) { std::erase(open_, dataset); }
    bool over() const { return open_.empty(); }

private:
    std::span<const double> weights_;
    std::vector<std::int64_t> given_;
    std::vector<std::size_t> open_;
};

void reserve(BlendOrder& order, std::int64_t size) {
    order.dataset.reserve(static_cast<std::size_t>(size));
    order.sample.reserve(static_cast<std::size_t>(size));
}

}  // namespace

std::vector<double> normalized(std::span<const double> weights) {
    double sum = numpy_sum(weights);
    std::vector<double> out(weights.begin(), weights.end());
    for (double& weight : out)
        weight /= sum;
    return out;
}

BlendOrder blend_order(std::span<const double> weights, std::int64_t size) {
    BlendOrder order;
    reserve(order, size);
    Greedy greedy(weights);
    while (order.size() < size && !greedy.over())
        greedy.give(order);
    return order;
}

BlendOrder exhaustive_order(std::span<const std::int64_t> sizes) {
    std::int64_t all = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
    std::vector<double> weights;
    for (std::int64_t size : sizes)
        weights.push_back(static_cast<double>(size) / static_cast<double>(all));
    BlendOrder order;
    reserve(order, all);
    Greedy greedy(weights);
    for (std::size_t d = 0; d < sizes.size(); ++d)
        if (sizes[d] == 0)
            greedy.close(d);
    while (!greedy.over()) {
        std::size_t d = greedy.give(order);
        if (greedy.given(d) == sizes[d])
            greedy.close(d);
    }
    return order;
}

}  // namespace stillroom::lm
