#include "plugins/prune/orders.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace stillroom::prune {
namespace {

std::vector<std::int64_t> counted(std::int64_t count) {
    std::vector<std::int64_t> out(static_cast<std::size_t>(count));
    std::iota(out.begin(), out.end(), 0);
    return out;
}

std::vector<std::int64_t> order_of(const std::vector<float>& importances, std::int64_t count) {
    return importances.empty() ? counted(count) : descending(importances);
}

std::vector<std::int64_t> first_ascending(const std::vector<std::int64_t>& order,
                                          std::int64_t count) {
    std::vector<std::int64_t> out(order.begin(), order.begin() + count);
    std::sort(out.begin(), out.end());
    return out;
}

/// Each group's heads by importance, rank-major.
std::vector<std::int64_t> by_rank(const std::vector<float>& scores, const Shape& shape) {
    const std::int64_t group = shape.heads / shape.kv_heads;
    std::vector<std::int64_t> out(static_cast<std::size_t>(shape.heads));
    for (std::int64_t g = 0; g < shape.kv_heads; ++g) {
        std::vector<std::int64_t> ranks =
            scores.empty()
                ? counted(group)
                : descending(std::span(scores).subspan(static_cast<std::size_t>(g * group),
                                                       static_cast<std::size_t>(group)));
        for (std::int64_t r = 0; r < group; ++r)
            out[static_cast<std::size_t>(r * shape.kv_heads + g)] =
                g * group + ranks[static_cast<std::size_t>(r)];
    }
    return out;
}

/// Groups by the L2 norm of their heads' scores.
std::vector<std::int64_t> groups_by_score(const std::vector<float>& scores, const Shape& shape) {
    const std::int64_t group = shape.heads / shape.kv_heads;
    std::vector<float> norms;
    for (std::size_t head = 0; head < scores.size(); head += static_cast<std::size_t>(group)) {
        double sum = 0;
        for (std::size_t i = head; i < head + static_cast<std::size_t>(group); ++i)
            sum += double{scores[i]} * scores[i];
        norms.push_back(static_cast<float>(std::sqrt(sum)));
    }
    return order_of(norms, shape.kv_heads);
}

/// The layers that are left when the run with the least sum has gone.
std::vector<std::int64_t> without_block(const std::vector<float>& scores, std::int64_t count) {
    const auto total = std::ssize(scores), gone = total - count;
    std::int64_t best = 0;
    double least = INFINITY;
    for (std::int64_t begin = 0; begin + gone <= total; ++begin) {
        double sum = std::accumulate(scores.begin() + begin, scores.begin() + begin + gone, 0.0);
        if (sum < least) {
            least = sum;
            best = begin;
        }
    }
    std::vector<std::int64_t> out;
    for (std::int64_t layer = 0; layer < total; ++layer)
        if (layer < best || layer >= best + gone)
            out.push_back(layer);
    return out;
}

}  // namespace

std::vector<std::int64_t> descending(std::span<const float> importances) {
    std::vector<std::int64_t> out = counted(std::ssize(importances));
    std::stable_sort(out.begin(), out.end(), [&](std::int64_t a, std::int64_t b) {
        return importances[static_cast<std::size_t>(a)] > importances[static_cast<std::size_t>(b)];
    });
    return out;
}

Orders::Orders(const lm::ModelConfig& model, const Scores& scores, const OrderOptions& options)
    : original_(shape_of(model)),
      options_(options),
      hidden_(order_of(scores.hidden, original_.hidden)),
      layers_(order_of(scores.layers, original_.layers)),
      layer_scores_(scores.layers) {
    const std::int64_t group = original_.heads / original_.kv_heads;
    static const std::vector<float> kNone;
    for (std::size_t i = 0; i < model.layers.size(); ++i) {
        const std::vector<float>& heads = scores.heads.empty() ? kNone : scores.heads[i];
        ffn_.push_back(order_of(scores.ffn.empty() ? kNone : scores.ffn[i], original_.ffn));
        if (!options.prune_kv_groups) {
            heads_.push_back(by_rank(heads, original_));
            kv_heads_.push_back(counted(original_.kv_heads));
            continue;
        }
        kv_heads_.push_back(groups_by_score(heads, original_));
        const std::int64_t each = options.group_heads > 0 ? options.group_heads : group;
        std::vector<std::int64_t> ranks = by_rank(heads, original_), order;
        auto add = [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t g : kv_heads_.back())
                for (std::int64_t r = first; r < last; ++r)
                    order.push_back(ranks[static_cast<std::size_t>(r * original_.kv_heads + g)]);
        };
        add(0, each);
        add(each, group);
        heads_.push_back(std::move(order));
    }
}

std::vector<std::int64_t> Orders::layers(std::int64_t count) const {
    if (count == original_.layers)
        return counted(count);
    if (options_.block && !layer_scores_.empty())
        return without_block(layer_scores_, count);
    return first_ascending(layers_, count);
}

lm::LayerCut Orders::layer_cut(const Shape& shape, std::size_t layer) const {
    lm::LayerCut out{.layer = static_cast<std::int64_t>(layer)};
    if (shape.ffn < original_.ffn)
        out.ffn = first_ascending(ffn_[layer], shape.ffn);
    if (shape.kv_heads < original_.kv_heads)
        out.kv_heads = first_ascending(kv_heads_[layer], shape.kv_heads);
    if (shape.heads < original_.heads)
        out.heads = first_ascending(heads_[layer], shape.heads);
    return out;
}

lm::Cut Orders::cut(const Shape& shape,
                    const std::optional<std::vector<std::int64_t>>& named) const {
    lm::Cut out;
    if (shape.hidden < original_.hidden)
        out.hidden = first_ascending(hidden_, shape.hidden);
    for (std::int64_t layer : named ? *named : layers(shape.layers))
        out.layers.push_back(layer_cut(shape, static_cast<std::size_t>(layer)));
    return out;
}

void require_scores(const Scores& scores, const Shape& from, const Shape& to, bool layers_named) {
    const std::pair<Hparam, bool> measured[] = {
        {Hparam::num_layers, !scores.layers.empty() || layers_named},
        {Hparam::hidden_size, !scores.hidden.empty()},
        {Hparam::ffn_hidden_size, !scores.ffn.empty()},
        {Hparam::num_attention_heads, !scores.heads.empty()}};
    for (const auto& [hparam, is_there] : measured)
        if (from.of(hparam) != to.of(hparam) && !is_there)
            throw Error(
                {},
                fmt::format("{} is to be cut, but the scores did not measure it", name_of(hparam)))
                .key("scores")
                .hint(fmt::format("prune.importance with {} among its hooks, or with all",
                                  name_of(hparam)))
                .exit_code(kExitUsage);
}

}  // namespace stillroom::prune
