#include "plugins/prune/request.h"

#include "engine/base/text.h"
#include "plugins/lm/config/grouped.h"
#include "plugins/lm/config/loadable.h"
#include "plugins/prune/choices.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace stillroom::prune {
namespace {

using Key = MinitronSettings::Key;

/// Mistakes, gathered so that all are shown.
class Mistakes {
public:
    void add(std::string_view key, std::string message, std::string hint) {
        if (!first_) {
            first_.emplace(Position{}, std::move(message));
            first_->key(std::string(key)).hint(std::move(hint)).exit_code(kExitUsage);
        } else {
            first_->note({}, fmt::format("{}{}", message, hint.empty() ? "" : "; " + hint));
        }
    }

    void done() {
        if (first_)
            throw std::move(*first_);
    }

private:
    std::optional<Error> first_;
};

std::string listed(const std::vector<std::int64_t>& sizes, std::string_view last) {
    std::vector<std::string> words;
    for (std::int64_t size : sizes)
        words.push_back(fmt::format("{}", size));
    return join(words, last);
}

std::int64_t step_of(const MinitronSettings& settings, Hparam hparam, const Shape& original) {
    for (const auto& [name, step] : settings.divisors)
        if (hparam_named(word(name)) == hparam)
            return step;
    return usual_step(
        hparam, original, false, settings.kv_groups == MinitronSettings::KvGroups::prune);
}

/// A size that is asked for is one of its choices.
void check_size(Hparam hparam,
                const std::optional<std::int64_t>& asked,
                const MinitronSettings& settings,
                const Shape& original,
                Shape& shape,
                Mistakes& mistakes) {
    if (!asked)
        return;
    std::int64_t most = original.of(hparam), step = step_of(settings, hparam, original);
    std::vector<std::int64_t> allowed = choices(most, step);
    shape.of(hparam) = *asked;
    if (std::binary_search(allowed.begin(), allowed.end(), *asked))
        return;
    std::string_view name = name_of(hparam);
    std::string nearest =
        *asked > most ? fmt::format("{}", most) : listed(around(allowed, *asked), "and");
    mistakes.add(setting_below(Key().shape, name),
                 fmt::format("{} {}: a multiple of {} up to {}", name, *asked, step, most),
                 fmt::format("nearest: {}", nearest));
    shape.of(hparam) = most;
}

void refuse_what_no_model_has(const MinitronSettings& settings, Mistakes& mistakes) {
    const auto& shape = *settings.shape;
    const Key key;
    const std::pair<std::string_view, bool> asked[] = {
        {key.shape.mamba_num_heads, shape.mamba_num_heads.has_value()},
        {key.shape.mamba_head_dim, shape.mamba_head_dim.has_value()},
        {key.shape.moe_ffn_hidden_size, shape.moe_ffn_hidden_size.has_value()},
        {key.shape.moe_shared_expert_intermediate_size,
         shape.moe_shared_expert_intermediate_size.has_value()},
        {key.shape.num_moe_experts, shape.num_moe_experts.has_value()}};
    for (const auto& [name, is_asked] : asked)
        if (is_asked)
            mistakes.add(name,
                         fmt::format("{} is not in this model", name.substr(name.find('.') + 1)),
                         "it has " + all_hparams());
}

/// KV heads follow whole groups of heads, or stay.
void check_groups(const MinitronSettings& settings,
                  const Shape& original,
                  Shape& shape,
                  Mistakes& mistakes) {
    const auto& asked = *settings.shape;
    const std::int64_t group = original.heads / original.kv_heads;
    if (settings.kv_groups == MinitronSettings::KvGroups::keep) {
        if (asked.num_query_groups && *asked.num_query_groups != original.kv_heads)
            mistakes.add(Key().shape.num_query_groups,
                         fmt::format("num_query_groups {}: the KV heads stay {}",
                                     *asked.num_query_groups,
                                     original.kv_heads),
                         "kv_groups=prune drops whole groups");
        return;
    }
    shape.kv_heads = asked.num_query_groups.value_or(asked.num_attention_heads ? shape.heads / group
                                                                               : original.kv_heads);
    if (shape.kv_heads < 1 || shape.kv_heads > original.kv_heads) {
        mistakes.add(
            Key().shape.num_query_groups,
            fmt::format(
                "num_query_groups {}: there are {} KV heads", shape.kv_heads, original.kv_heads),
            fmt::format("1 to {}", original.kv_heads));
        shape.kv_heads = original.kv_heads;
    }
    if (!asked.num_attention_heads)
        shape.heads = shape.kv_heads * group;
    if (shape.heads % shape.kv_heads != 0 || shape.heads / shape.kv_heads > group)
        mistakes.add(
            Key().shape.num_attention_heads,
            fmt::format("num_attention_heads {}: {} KV heads take a multiple of {} up to {}",
                        shape.heads,
                        shape.kv_heads,
                        shape.kv_heads,
                        shape.kv_heads * group),
            fmt::format("nearest: {}",
                        listed(around(choices(shape.kv_heads * group, shape.kv_heads), shape.heads),
                               "and")));
}

void check_layers(const MinitronSettings& settings,
                  const Shape& original,
                  ManualRequest& request,
                  Mistakes& mistakes) {
    const auto& asked = *settings.shape;
    if (!asked.layers)
        return;
    if (asked.num_layers && *asked.num_layers != static_cast<std::int64_t>(asked.layers->size()))
        mistakes.add(
            Key().shape.num_layers,
            fmt::format(
                "num_layers {}, but {} layers are listed", *asked.num_layers, asked.layers->size()),
            "name one of num_layers and layers");
    std::vector<std::int64_t> layers = *asked.layers;
    for (std::size_t i = 0; i < layers.size(); ++i)
        if (layers[i] >= original.layers)
            mistakes.add(Key().shape.layers[i],
                         fmt::format("layer {}: the {} layers count from 0 to {}",
                                     layers[i],
                                     original.layers,
                                     original.layers - 1),
                         "");
    std::sort(layers.begin(), layers.end());
    request.shape.layers = std::min<std::int64_t>(original.layers, std::ssize(layers));
    request.layers = std::move(layers);
}

void check_divisors(const MinitronSettings& settings, const Shape& original, Mistakes& mistakes) {
    for (const auto& [name, step] : settings.divisors) {
        std::optional<Hparam> hparam = hparam_named(word(name));
        std::string key = Key().divisors[name];
        if (!hparam) {
            mistakes.add(
                key, fmt::format("{} is not in this model", word(name)), "it has " + all_hparams());
            continue;
        }
        if (step > original.of(*hparam))
            mistakes.add(
                key,
                fmt::format("{} goes by {}, but is {}", word(name), step, original.of(*hparam)),
                fmt::format("at most {}", original.of(*hparam)));
        bool by_groups = settings.kv_groups == MinitronSettings::KvGroups::prune;
        std::int64_t unit = usual_step(Hparam::num_attention_heads, original, true, by_groups);
        if (*hparam == Hparam::num_attention_heads && step % unit != 0)
            mistakes.add(key,
                         fmt::format("num_attention_heads goes by {}: no multiple of {}{}",
                                     step,
                                     unit,
                                     by_groups ? ", the heads of a group" : " KV heads"),
                         fmt::format("nearest: {}", step < unit ? unit : step / unit * unit));
    }
}

SearchOptions options_of(const MinitronSettings& settings, const Shape& original) {
    SearchOptions out;
    out.bounds = {
        settings.target->params, settings.target->active_params, settings.target->memory_mib};
    out.skip = hparams_of(settings.skip, Key().skip);
    out.max_width_pruning = settings.max_width_pruning;
    out.max_depth_pruning = settings.max_depth_pruning;
    Mistakes mistakes;
    check_divisors(settings, original, mistakes);
    mistakes.done();
    for (const auto& [name, step] : settings.divisors)
        out.divisors[*hparam_named(word(name))] = step;
    out.top_k = settings.top_k;
    out.tolerance = settings.tolerance;
    out.keep_refused = settings.refused == MinitronSettings::Refused::keep;
    out.prune_kv_groups = settings.kv_groups == MinitronSettings::KvGroups::prune;
    out.serving = {.batch = settings.memory.batch,
                   .sequence = settings.memory.sequence,
                   .kv_bytes = settings.memory.kv_bytes,
                   .weight_bytes = settings.memory.weight_bytes};
    return out;
}

std::string_view primary_key(const Bounds& bounds) {
    static const Key kKey;
    if (bounds.active_params)
        return kKey.target.active_params;
    return bounds.params ? kKey.target.params : kKey.target.memory_mib;
}

std::string bounds_text(const Bounds& bounds) {
    std::vector<std::string> words;
    if (bounds.params)
        words.push_back(fmt::format("{} parameters", lm::grouped(*bounds.params)));
    if (bounds.active_params)
        words.push_back(fmt::format("{} active parameters", lm::grouped(*bounds.active_params)));
    if (bounds.memory_mib)
        words.push_back(fmt::format("{:.1f} MiB", *bounds.memory_mib));
    return join(words);
}

/// All that the search may reach, in the numbers that are bounded.
std::string smallest_text(const Bounds& bounds, const Metrics& smallest) {
    std::vector<std::string> words;
    if (bounds.params)
        words.push_back(fmt::format("params {}", lm::grouped(smallest.params)));
    if (bounds.active_params)
        words.push_back(fmt::format("active_params {}", lm::grouped(smallest.active_params)));
    if (bounds.memory_mib)
        words.push_back(fmt::format("memory_mib {:.1f}", smallest.memory_mib()));
    return join(words);
}

[[noreturn]] void refuse_target(const SearchOptions& options,
                                std::string message,
                                std::string hint) {
    throw Error({}, std::move(message))
        .key(std::string(primary_key(options.bounds)))
        .hint(std::move(hint))
        .exit_code(kExitUsage);
}

}  // namespace

std::string all_hparams() {
    std::vector<std::string> names;
    for (Hparam hparam : kHparams)
        names.emplace_back(name_of(hparam));
    return join(names);
}

ManualRequest manual_request(const MinitronSettings& settings, const lm::ModelConfig& model) {
    const Shape original = shape_of(model);
    const auto& asked = *settings.shape;
    ManualRequest out{.shape = original, .layers = {}};
    Mistakes mistakes;
    refuse_what_no_model_has(settings, mistakes);
    check_divisors(settings, original, mistakes);
    auto size = [&](Hparam hparam, const std::optional<std::int64_t>& value) {
        check_size(hparam, value, settings, original, out.shape, mistakes);
    };
    size(Hparam::num_layers, asked.num_layers);
    size(Hparam::hidden_size, asked.hidden_size);
    size(Hparam::ffn_hidden_size, asked.ffn_hidden_size);
    if (!asked.num_query_groups || settings.kv_groups == MinitronSettings::KvGroups::keep)
        size(Hparam::num_attention_heads, asked.num_attention_heads);
    else
        out.shape.heads = asked.num_attention_heads.value_or(original.heads);
    check_groups(settings, original, out.shape, mistakes);
    check_layers(settings, original, out, mistakes);
    mistakes.done();
    for (const lm::Misfit& misfit : lm::misfits(shaped(model, out.shape)))
        mistakes.add(out.shape.heads != original.heads ? Key().shape.num_attention_heads
                                                       : Key().shape.hidden_size,
                     misfit.message,
                     misfit.hint);
    mistakes.done();
    return out;
}

SearchOptions search_options(const MinitronSettings& settings, const lm::ModelConfig& model) {
    return options_of(settings, shape_of(model));
}

Found search_for(const MinitronSettings& settings, const lm::ModelConfig& model) {
    SearchOptions options = search_options(settings, model);
    Metrics original = ShapeCounter(model, options.serving).count(shape_of(model));
    if (options.bounds.hold(original))
        refuse_target(options,
                      fmt::format("the model meets the target already: it has {}, the target is {}",
                                  smallest_text(options.bounds, original),
                                  bounds_text(options.bounds)),
                      "a target below that, or leave the stage out");
    Found found = search(model, options);
    if (found.space == 1)
        throw Error({}, "nothing is left to search: every size is skipped or has one choice")
            .key(Key().skip)
            .hint("skip fewer sizes, or raise max_width_pruning or max_depth_pruning")
            .exit_code(kExitUsage);
    if (found.fit == 0)
        refuse_target(
            options,
            fmt::format("no candidate of {} meets the target of {}: the smallest reach {}",
                        lm::grouped(found.space),
                        bounds_text(options.bounds),
                        smallest_text(options.bounds, found.smallest)),
            "a larger target, or larger max_width_pruning (0.4) and max_depth_pruning "
            "(0.2), or smaller divisors");
    if (found.ranked.empty())
        refuse_target(options,
                      fmt::format("{} of {} candidates meet the target of {}, and transformers "
                                  "refuses all of them: hidden_size is no multiple of the heads",
                                  found.fit,
                                  lm::grouped(found.space),
                                  bounds_text(options.bounds)),
                      "other divisors (divisors.hidden_size), skip=[hidden_size], or refused=keep");
    return found;
}

std::vector<Candidate> candidates_of(const MinitronSettings& settings, const Found& found) {
    SearchOptions options;
    options.bounds = {
        settings.target->params, settings.target->active_params, settings.target->memory_mib};
    options.tolerance = settings.tolerance;
    std::int64_t count =
        settings.prefilter ? std::max(settings.prefilter->from, settings.top_k) : settings.top_k;
    std::vector<Candidate> out = chosen(found, options, count);
    if (out.empty())
        throw Error(
            {},
            fmt::format("no candidate is within {} of the target: the largest that meets it "
                        "has {}",
                        *settings.tolerance,
                        smallest_text(options.bounds, found.ranked.front().metrics)))
            .key(Key().tolerance)
            .hint("a larger tolerance, or smaller divisors")
            .exit_code(kExitUsage);
    return out;
}

}  // namespace stillroom::prune
