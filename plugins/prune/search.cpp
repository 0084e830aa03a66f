#include "plugins/prune/search.h"

#include "plugins/lm/config/loadable.h"
#include "plugins/prune/choices.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stillroom::prune {
namespace {

Choice choice_of(Hparam hparam, const Shape& original, const SearchOptions& options) {
    std::int64_t most = original.of(hparam);
    if (options.skip.contains(hparam))
        return {hparam, {most}};
    auto given = options.divisors.find(hparam);
    std::int64_t step = given != options.divisors.end()
                            ? given->second
                            : usual_step(hparam, original, true, options.prune_kv_groups);
    double share =
        hparam == Hparam::num_layers ? options.max_depth_pruning : options.max_width_pruning;
    return {hparam, kept(choices(most, step), share)};
}

/// Calls `take` with every combination, the first size slowest.
template <class Take>
void each_combination(const std::vector<Choice>& choices, std::size_t at, Shape& shape, Take take) {
    if (at == choices.size()) {
        take(shape);
        return;
    }
    for (std::int64_t size : choices[at].sizes) {
        shape.of(choices[at].hparam) = size;
        each_combination(choices, at + 1, shape, take);
    }
}

void lower(Metrics& least, const Metrics& other) {
    least.params = std::min(least.params, other.params);
    least.active_params = std::min(least.active_params, other.active_params);
    if (other.memory_mib() < least.memory_mib()) {
        least.weights_mib = other.weights_mib;
        least.kv_mib = other.kv_mib;
    }
}

/// How unlike two shapes are: the distance of their ratios.
double distance(const Shape& a, const Shape& b) {
    double sum = 0;
    for (Hparam hparam : kHparams) {
        double ratio =
            std::log(static_cast<double>(a.of(hparam)) / static_cast<double>(b.of(hparam)));
        sum += ratio * ratio;
    }
    return sum;
}

std::vector<Candidate> farthest_points(std::vector<Candidate> band, std::size_t count) {
    std::vector<Candidate> out;
    std::vector<double> nearest(band.size(), std::numeric_limits<double>::infinity());
    std::size_t next = 0;
    while (out.size() < std::min(count, band.size())) {
        out.push_back(band[next]);
        for (std::size_t i = 0; i < band.size(); ++i)
            nearest[i] = std::min(nearest[i], distance(band[i].shape, out.back().shape));
        next = static_cast<std::size_t>(std::max_element(nearest.begin(), nearest.end()) -
                                        nearest.begin());
    }
    return out;
}

}  // namespace

bool Bounds::hold(const Metrics& metrics) const {
    return (!params || metrics.params <= *params) &&
           (!active_params || metrics.active_params <= *active_params) &&
           (!memory_mib || metrics.memory_mib() <= *memory_mib);
}

double Bounds::primary(const Metrics& metrics) const {
    if (active_params)
        return static_cast<double>(metrics.active_params);
    return params ? static_cast<double>(metrics.params) : metrics.memory_mib();
}

double Bounds::primary_bound() const {
    if (active_params)
        return static_cast<double>(*active_params);
    return params ? static_cast<double>(*params) : memory_mib.value_or(0);
}

std::int64_t usual_step(Hparam hparam, const Shape& original, bool search, bool by_groups) {
    switch (hparam) {
        case Hparam::num_layers:
            return search ? 2 : 1;
        case Hparam::hidden_size:
            return search ? 256 : 64;
        case Hparam::ffn_hidden_size:
            return search ? 512 : 64;
        case Hparam::num_attention_heads:
            break;
    }
    return by_groups ? original.heads / original.kv_heads : original.kv_heads;
}

Found search(const lm::ModelConfig& model, const SearchOptions& options) {
    Found out;
    const Shape original = shape_of(model);
    for (Hparam hparam : kHparams)
        out.choices.push_back(choice_of(hparam, original, options));
    ShapeCounter counter(model, options.serving);
    out.smallest = counter.count(original);
    lm::ModelConfig one = shaped(model, original);  // of one layer, to ask what its class takes
    one.layers.resize(1);
    const std::int64_t group = original.heads / original.kv_heads;
    Shape shape = original;
    each_combination(out.choices, 0, shape, [&](Shape each) {
        if (options.prune_kv_groups)
            each.kv_heads = each.heads / group;
        Candidate candidate{each, counter.count(each)};
        ++out.space;
        lower(out.smallest, candidate.metrics);
        if (!options.bounds.hold(candidate.metrics))
            return;
        ++out.fit;
        one.hidden = each.hidden;
        one.layers.front().attention->heads = each.heads;
        one.layers.front().attention->kv_heads = each.kv_heads;
        if (!options.keep_refused && !lm::misfits(one).empty())
            ++out.refused;
        else
            out.ranked.push_back(candidate);
    });
    std::stable_sort(out.ranked.begin(), out.ranked.end(), [&](const auto& a, const auto& b) {
        return options.bounds.primary(a.metrics) > options.bounds.primary(b.metrics);
    });
    return out;
}

std::vector<Candidate> chosen(const Found& found,
                              const SearchOptions& options,
                              std::int64_t count) {
    std::vector<Candidate> out = found.ranked;
    if (options.tolerance) {
        double least = (1 - *options.tolerance) * options.bounds.primary_bound();
        std::erase_if(out, [&](const Candidate& candidate) {
            return options.bounds.primary(candidate.metrics) < least;
        });
        return farthest_points(std::move(out), static_cast<std::size_t>(count));
    }
    if (out.size() > static_cast<std::size_t>(count))
        out.resize(static_cast<std::size_t>(count));
    return out;
}

}  // namespace stillroom::prune
