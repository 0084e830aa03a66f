#include "plugins/lm/parallel/layout.h"

#include "plugins/lm/config/model_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace stillroom::lm {
namespace {

/// "1, 2, 4, 8": those up to a number that divide another.
std::string divisors_up_to(std::int64_t value, std::int64_t most) {
    std::vector<std::int64_t> found;
    for (std::int64_t i = 1; i <= std::min(value, most); i++)
        if (value % i == 0)
            found.push_back(i);
    return fmt::format("{}", fmt::join(found, ", "));
}

/// Query heads are shared out, KV heads shared out or copied, widths shared out.
void check_tensor(std::int64_t ranks,
                  const ModelConfig& config,
                  std::vector<LayoutProblem>& problems) {
    std::set<std::string> told;  // layers are mostly alike
    auto tell = [&](std::string message, std::int64_t value) {
        if (told.insert(message).second)
            problems.push_back({.key = "tensor",
                                .message = std::move(message),
                                .hint = fmt::format("these do: {}", divisors_up_to(value, ranks))});
    };
    for (const Layer& layer : config.layers) {
        if (layer.attention) {
            std::int64_t heads = layer.attention->heads, groups = layer.attention->kv_heads;
            if (heads % ranks != 0)
                tell(fmt::format("{} heads do not divide over tensor {}", heads, ranks), heads);
            else if (groups % ranks != 0 && ranks % groups != 0)
                tell(fmt::format("{} KV heads do not divide over tensor {}", groups, ranks),
                     groups);
        }
        if (layer.mlp && layer.mlp->width % ranks != 0)
            tell(
                fmt::format("ffn width {} does not divide over tensor {}", layer.mlp->width, ranks),
                layer.mlp->width);
    }
}

std::vector<int> evenly(std::int64_t layers, std::int64_t stages) {
    return std::vector<int>(static_cast<std::size_t>(stages), static_cast<int>(layers / stages));
}

std::vector<int> share_layers(const LayoutWish& wish,
                              std::int64_t layers,
                              std::vector<LayoutProblem>& problems) {
    std::int64_t ends = (wish.first_layers ? 1 : 0) + (wish.last_layers ? 1 : 0);
    auto tell = [&](std::string message, std::string hint) {
        problems.push_back({.key = "pipeline",
                            .message = fmt::format("pipeline {}: {}", wish.pipeline, message),
                            .hint = std::move(hint)});
        return std::vector<int>();
    };
    if (wish.pipeline > layers)
        return tell(fmt::format("there are {} layers, and every stage needs one", layers),
                    fmt::format("at most {}", layers));
    if (ends > 0 && wish.pipeline < 2)
        return tell("one stage holds all layers",
                    "leave num_layers_in_first_pipeline_stage and its last out");
    std::int64_t given = wish.first_layers.value_or(0) + wish.last_layers.value_or(0);
    std::int64_t rest = layers - given, middle = wish.pipeline - ends;
    std::string sum = fmt::format("{} layers", layers);
    if (wish.first_layers)
        sum += fmt::format(" - first {}", *wish.first_layers);
    if (wish.last_layers)
        sum += fmt::format(" - last {}", *wish.last_layers);
    if (ends > 0)
        sum += fmt::format(" = {}", rest);
    if (middle > 0 && rest < middle)
        return tell(fmt::format("{}, too few for {} other stages", sum, middle),
                    fmt::format("first and last hold at most {} together", layers - middle));
    if (middle == 0 ? rest != 0 : rest % middle != 0) {
        std::string hint =
            ends > 0 ? "first and last leave a number of layers that divides over the others"
                     : fmt::format("these divide: {}", divisors_up_to(layers, wish.pipeline));
        if (middle == 0)
            return tell(sum + ", and no stage is left for them",
                        fmt::format("first and last must be {} together", layers));
        return tell(
            fmt::format(
                "{} do not divide over {} {}stages", sum, middle, ends > 0 ? "middle " : ""),
            hint);
    }
    std::vector<int> stages = middle == 0 ? std::vector<int>() : evenly(rest, middle);
    if (wish.first_layers)
        stages.insert(stages.begin(), static_cast<int>(*wish.first_layers));
    if (wish.last_layers)
        stages.push_back(static_cast<int>(*wish.last_layers));
    return stages;
}

}  // namespace

LayoutPlace Layout::place(int rank) const {
    return {
        .tensor = rank % tensor, .data = rank / tensor % data, .pipeline = rank / tensor / data};
}

int Layout::rank(const LayoutPlace& place) const {
    return (place.pipeline * data + place.data) * tensor + place.tensor;
}

std::size_t Layout::first_layer(int stage) const {
    return static_cast<std::size_t>(
        std::accumulate(stage_layers.begin(), stage_layers.begin() + stage, 0));
}

std::vector<int> Layout::tensor_ranks(int rank) const {
    std::vector<int> ranks;
    for (LayoutPlace at = place(rank);
         at.tensor = static_cast<int>(ranks.size()), at.tensor < tensor;)
        ranks.push_back(this->rank(at));
    return ranks;
}

std::vector<int> Layout::data_ranks(int rank) const {
    std::vector<int> ranks;
    for (LayoutPlace at = place(rank); at.data = static_cast<int>(ranks.size()), at.data < data;)
        ranks.push_back(this->rank(at));
    return ranks;
}

std::vector<int> Layout::pipeline_ranks(int rank) const {
    std::vector<int> ranks;
    for (LayoutPlace at = place(rank);
         at.pipeline = static_cast<int>(ranks.size()), at.pipeline < pipeline;)
        ranks.push_back(this->rank(at));
    return ranks;
}

Layout lay_out(const LayoutWish& wish,
               std::int64_t world,
               const ModelConfig& config,
               std::vector<LayoutProblem>& problems) {
    std::int64_t copy = wish.tensor * wish.pipeline;
    if (world % copy != 0 || (wish.data && *wish.data * copy != world)) {
        std::string product = fmt::format("tensor {} x pipeline {}", wish.tensor, wish.pipeline);
        std::string message =
            wish.data ? fmt::format("ranks {} is not {} x data {} = {}",
                                    world,
                                    product,
                                    *wish.data,
                                    *wish.data * copy)
                      : fmt::format("ranks {} is not a multiple of {} = {}", world, product, copy);
        problems.push_back(
            {.key = wish.data ? "data" : "tensor",
             .message = std::move(message),
             .hint = fmt::format("`ranks: {}` would do", copy * wish.data.value_or(1))});
    }
    check_tensor(wish.tensor, config, problems);
    Layout layout;
    layout.tensor = static_cast<int>(wish.tensor);
    layout.pipeline = static_cast<int>(wish.pipeline);
    layout.data = static_cast<int>(std::max<std::int64_t>(1, world / copy));
    layout.stage_layers = share_layers(wish, std::ssize(config.layers), problems);
    return layout;
}

std::optional<LayoutProblem> uneven_batch(std::int64_t global_batch,
                                          std::int64_t micro_batch,
                                          std::int64_t data) {
    std::int64_t unit = micro_batch * data;
    if (global_batch % unit == 0)
        return std::nullopt;
    std::int64_t below = global_batch / unit * unit;
    return LayoutProblem{
        .key = "global_batch",
        .message = fmt::format("global_batch {} is not a multiple of micro_batch {} x data {}",
                               global_batch,
                               micro_batch,
                               data),
        .hint = below > 0 ? fmt::format("nearest {}, {}", below, below + unit)
                          : fmt::format("nearest {}", unit)};
}

}  // namespace stillroom::lm
