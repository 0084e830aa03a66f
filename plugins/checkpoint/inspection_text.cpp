// What an inspection found, for programs and for people.

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/units.h"
#include "plugins/checkpoint/inspection.h"
#include "plugins/checkpoint/runtime_needs.h"
#include "plugins/lm/config/families.h"
#include "plugins/lm/config/grouped.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace stillroom::checkpoint {
namespace {

using Sizes = std::vector<std::int64_t>;

/// One number for each layer that has the block.
template <class Get>
Sizes of_layers(const lm::ModelConfig& model, Get get) {
    Sizes out;
    for (const lm::Layer& layer : model.layers)
        if (std::optional<std::int64_t> size = get(layer))
            out.push_back(*size);
    return out;
}

Sizes heads(const lm::ModelConfig& model, std::int64_t lm::Attention::*which) {
    return of_layers(model, [&](const lm::Layer& layer) {
        return layer.attention ? std::optional((*layer.attention).*which) : std::nullopt;
    });
}

Sizes widths(const lm::ModelConfig& model) {
    return of_layers(model, [](const lm::Layer& layer) {
        return layer.mlp ? std::optional(layer.mlp->width) : std::nullopt;
    });
}

bool all_one(const Sizes& sizes) {
    return std::adjacent_find(sizes.begin(), sizes.end(), std::not_equal_to<>()) == sizes.end();
}

/// A number where all layers agree, else a list.
void put_sizes(JsonWriter& out, std::string_view key, const Sizes& sizes) {
    out.key(key);
    if (all_one(sizes)) {
        out.integer(sizes.empty() ? 0 : sizes.front());
        return;
    }
    out.begin_array();
    for (std::int64_t size : sizes)
        out.integer(size);
    out.end_array();
}

std::string shown_sizes(const Sizes& sizes) {
    if (sizes.empty())
        return "none";
    if (all_one(sizes))
        return lm::grouped(sizes.front());
    auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
    return fmt::format("{} to {}, by layer", lm::grouped(*least), lm::grouped(*most));
}

void put_texts(JsonWriter& out, std::string_view key, const std::vector<std::string>& texts) {
    out.key(key);
    out.begin_array();
    for (const std::string& text : texts)
        out.string(text);
    out.end_array();
}

void put_integers(JsonWriter& out, std::string_view key, const Sizes& values) {
    out.key(key);
    out.begin_array();
    for (std::int64_t value : values)
        out.integer(value);
    out.end_array();
}

void put_counts(JsonWriter& out, const Inspection& found) {
    out.key("family"), out.string(lm::traits_of(found.model.family).model_type);
    out.key("architecture"), out.string(lm::traits_of(found.model.family).architecture);
    out.key("parameters"), out.begin_object();
    out.key("total"), out.integer(found.counts.total);
    out.key("embedding"), out.integer(found.counts.embedding);
    out.key("active"), out.integer(found.counts.active);
    out.end_object();
    out.key("layers"), out.integer(static_cast<std::int64_t>(found.model.layers.size()));
    out.key("memory_bytes"), out.integer(static_cast<std::int64_t>(found.memory_bytes));
    out.key("kv_cache_bytes_per_token"), out.integer(static_cast<std::int64_t>(found.kv_bytes));
    out.key("tensors"), out.integer(found.tensors);
}

void put_shapes(JsonWriter& out, const lm::ModelConfig& model) {
    out.key("hidden_size"), out.integer(model.hidden);
    put_sizes(out, "intermediate_size", widths(model));
    put_sizes(out, "heads", heads(model, &lm::Attention::heads));
    put_sizes(out, "kv_heads", heads(model, &lm::Attention::kv_heads));
    put_sizes(out, "head_dim", heads(model, &lm::Attention::head_dim));
    out.key("vocab_size"), out.integer(model.vocab);
    out.key("tied"), out.boolean(model.tied);
    out.key("max_positions"), out.integer(model.max_positions);
    out.key("dtype"), model.dtype.empty() ? out.null() : out.string(model.dtype);
}

void put_dtypes(JsonWriter& out, const Inspection& found) {
    out.key("dtypes"), out.begin_object();
    for (const auto& [name, share] : found.dtypes) {
        out.key(name), out.begin_object();
        out.key("tensors"), out.integer(share.tensors);
        out.key("parameters"), out.integer(share.parameters);
        out.key("bytes"), out.integer(static_cast<std::int64_t>(share.bytes));
        out.end_object();
    }
    out.end_object();
}

void put_stats(JsonWriter& out, const TensorStats& stats) {
    out.key("min"), out.number(stats.least);
    out.key("max"), out.number(stats.most);
    out.key("mean"), out.number(stats.mean);
    out.key("rms"), out.number(stats.rms);
    out.key("zeros"), out.integer(static_cast<std::int64_t>(stats.zeros));
    out.key("nan"), out.integer(static_cast<std::int64_t>(stats.nan));
    out.key("infinite"), out.integer(static_cast<std::int64_t>(stats.infinite));
}

void put_list(JsonWriter& out, const Inspection& found) {
    if (!found.listed)
        return;
    out.key("tensor_list"), out.begin_array();
    for (const ListedTensor& tensor : found.list) {
        out.begin_object();
        out.key("name"), out.string(tensor.name);
        put_integers(out, "shape", tensor.shape);
        out.key("axes"), out.string(tensor.axes);
        if (!tensor.dtype.empty()) {
            out.key("dtype"), out.string(tensor.dtype);
            out.key("bytes"), out.integer(static_cast<std::int64_t>(tensor.bytes));
            out.key("file"), out.string(tensor.file);
        }
        if (tensor.stats)
            put_stats(out, *tensor.stats);
        out.end_object();
    }
    out.end_array();
}

void put_runtimes(JsonWriter& out, const Inspection& found, const std::string& runtime) {
    put_integers(out, "tp_sizes", found.tp_sizes);
    out.key("loads_in"), out.begin_array();
    for (const lm::LoadsIn& one : found.loads_in) {
        out.begin_object();
        out.key("runtime"), out.string(one.runtime);
        out.key("loads"), out.boolean(one.loads);
        out.key("note"), out.string(one.note);
        out.end_object();
    }
    out.end_array();
    if (runtime.empty())
        return;
    out.key("runtime"), out.begin_object();
    out.key("name"), out.string(runtime);
    put_texts(out, "needs", needs_of(found, runtime));
    out.end_object();
}

void add_list(std::string& out, const Inspection& found) {
    if (!found.listed)
        return;
    bool stats = std::any_of(
        found.list.begin(), found.list.end(), [](const auto& tensor) { return tensor.stats; });
    out += "\n| tensor | shape | axes | dtype |";
    out += stats ? " min | max | mean | rms | NaN | Inf |\n" : "\n";
    out += stats ? "|---|---|---|---|---|---|---|---|---|---|\n" : "|---|---|---|---|\n";
    for (const ListedTensor& tensor : found.list) {
        out += fmt::format("| {} | {} | {} | {} |",
                           lm::shown(tensor.name),
                           lm::to_string(tensor.shape),
                           tensor.axes,
                           tensor.dtype);
        if (const auto& one = tensor.stats)
            out += fmt::format(" {:.6g} | {:.6g} | {:.6g} | {:.6g} | {} | {} |",
                               one->least,
                               one->most,
                               one->mean,
                               one->rms,
                               one->nan,
                               one->infinite);
        out += '\n';
    }
}

void add_bad_numbers(std::string& out, const Inspection& found) {
    std::uint64_t nan = 0, infinite = 0;
    bool any = false;
    for (const ListedTensor& tensor : found.list)
        if (tensor.stats) {
            any = true;
            nan += tensor.stats->nan;
            infinite += tensor.stats->infinite;
        }
    if (any)
        out += fmt::format("\nNaN: {}, infinite: {}\n", nan, infinite);
}

void add_remarks(std::string& out, const Inspection& found) {
    if (!found.has_weights)
        out += "\nThere are no weights in this folder: sizes follow from config.json.\n";
    if (found.tied_head)
        out +=
            "\nlm_head.weight is there although the head is the embedding; an export drops it.\n";
    if (!found.ignored.empty())
        out += fmt::format("\nNo part of the decoder: {}, as {}\n",
                           plural(found.ignored.size(), "tensor"),
                           lm::shown(found.ignored.front()));
    if (!found.hooks.empty())
        out += fmt::format("\nNames code, not obeyed: {}\n", lm::shown(join(found.hooks)));
    if (!found.unopened.empty())
        out += fmt::format("\nNever opened: {}\n", lm::shown(join(found.unopened)));
}

}  // namespace

std::string json_of(const Inspection& found, const std::string& runtime) {
    JsonWriter out(2);
    out.begin_object();
    put_counts(out, found);
    put_shapes(out, found.model);
    put_dtypes(out, found);
    out.key("has_weights"), out.boolean(found.has_weights);
    put_runtimes(out, found, runtime);
    put_texts(out, "hooks", found.hooks);
    put_texts(out, "never_opened", found.unopened);
    put_texts(out, "ignored", found.ignored);
    put_texts(out, "files", found.files);
    put_list(out, found);
    out.end_object();
    return out.take() + "\n";
}

std::string text_of(const Inspection& found, const std::string& runtime) {
    const lm::ModelConfig& model = found.model;
    std::string out = "| model | |\n|---|---|\n";
    auto row = [&](std::string_view name, const std::string& value) {
        out += fmt::format("| {} | {} |\n", name, value);
    };
    row("family",
        fmt::format("{}, {}",
                    lm::traits_of(model.family).model_type,
                    lm::traits_of(model.family).architecture));
    row("parameters",
        fmt::format("{}, {} of them embedding{}",
                    lm::grouped(found.counts.total),
                    lm::grouped(found.counts.embedding),
                    model.tied ? ", which is the head too" : " and head"));
    row("weights",
        fmt::format("{} in {}",
                    size_text(found.memory_bytes),
                    plural(static_cast<std::size_t>(found.tensors), "tensor")));
    for (const auto& [name, share] : found.dtypes)
        row(name,
            fmt::format("{}, {} parameters",
                        plural(static_cast<std::size_t>(share.tensors), "tensor"),
                        lm::grouped(share.parameters)));
    row("layers", lm::grouped(static_cast<std::int64_t>(model.layers.size())));
    row("hidden size", lm::grouped(model.hidden));
    row("feed-forward width", shown_sizes(widths(model)));
    row("heads", shown_sizes(heads(model, &lm::Attention::heads)));
    row("KV heads", shown_sizes(heads(model, &lm::Attention::kv_heads)));
    row("head dim", shown_sizes(heads(model, &lm::Attention::head_dim)));
    row("vocabulary", lm::grouped(model.vocab));
    row("positions", lm::grouped(model.max_positions));
    row("KV cache", fmt::format("{} a token in 16 bits", size_text(found.kv_bytes)));
    row("tensor parallel", fmt::format("{}", fmt::join(found.tp_sizes, ", ")));
    out += "\n| loads in | | |\n|---|---|---|\n";
    for (const lm::LoadsIn& one : found.loads_in)
        out += fmt::format("| {} | {} | {} |\n", one.runtime, one.loads ? "yes" : "no", one.note);
    if (!runtime.empty())
        out += fmt::format(
            "\n{} needs:\n- {}\n", runtime, fmt::join(needs_of(found, runtime), "\n- "));
    add_remarks(out, found);
    add_bad_numbers(out, found);
    add_list(out, found);
    return out;
}

}  // namespace stillroom::checkpoint
