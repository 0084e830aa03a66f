#include "plugins/lm/config/express.h"

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "plugins/lm/config/families.h"
#include "plugins/lm/config/loadable.h"
#include "plugins/lm/config/read_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace stillroom::lm {
namespace {

Error refusal(std::string message) {
    return Error({}, std::move(message)).exit_code(kExitUsage);
}

// Nothing here is trusted to be enough: what was written is read again, and must be the model that
// was asked for.
class Editor {
public:
    Editor(const ConfigText& text,
           const ModelConfig& from,
           const ModelConfig& to,
           std::span<const std::int64_t> kept)
        : text_(text),
          from_(from),
          to_(to),
          kept_(kept.begin(), kept.end()) {}

    ConfigText edit() {
        require_stock(to_);
        if (to_.family != from_.family)
            throw refusal(fmt::format("a {} cannot become a {}",
                                      traits_of(from_.family).model_type,
                                      traits_of(to_.family).model_type));
        check_kept();
        if (!to_.layers.empty())
            write_shapes(*from_.layers.front().attention, *to_.layers.front().attention);
        write_layers();
        write_dtype();
        write_tied();
        require_same(to_, read_model(text_));
        return std::move(text_);
    }

private:
    void check_kept() {
        if (kept_.empty() && to_.layers.size() == from_.layers.size()) {
            kept_.resize(to_.layers.size());
            std::iota(kept_.begin(), kept_.end(), 0);
        }
        if (kept_.size() != to_.layers.size())
            throw refusal(fmt::format(
                "{} layers are kept, the model has {}", kept_.size(), to_.layers.size()));
        for (std::size_t i = 0; i < kept_.size(); ++i)
            if (kept_[i] < (i == 0 ? 0 : kept_[i - 1] + 1) ||
                kept_[i] >= static_cast<std::int64_t>(from_.layers.size()))
                throw refusal(fmt::format("layer {} is kept: the {} layers count from 0, in order",
                                          kept_[i],
                                          from_.layers.size()));
    }

    static ConfigPath at(std::string_view key) { return {std::string(key)}; }

    void set(std::string_view key, std::string_view json) { text_.set(at(key), json); }

    void set_size(std::string_view key, std::int64_t from, std::int64_t to) {
        if (from != to)
            set(key, fmt::format("{}", to));
    }

    void write_shapes(const Attention& from, const Attention& to) {
        set_size("hidden_size", from_.hidden, to_.hidden);
        set_size("vocab_size", from_.vocab, to_.vocab);
        set_size(
            "intermediate_size", from_.layers.front().mlp->width, to_.layers.front().mlp->width);
        set_size("num_attention_heads", from.heads, to.heads);
        // Old loaders and silent files take both from others that may have changed.
        if (from.heads != to.heads || from.kv_heads != to.kv_heads)
            set("num_key_value_heads", fmt::format("{}", to.kv_heads));
        if (from_.hidden != to_.hidden || from.heads != to.heads || from.head_dim != to.head_dim)
            set("head_dim", fmt::format("{}", to.head_dim));
    }

    bool cut() const { return kept_.size() != from_.layers.size(); }

    void write_layers() {
        if (from_.hidden != to_.hidden || from_.layers != to_.layers)
            for (std::string_view key :
                 {"num_nextn_predict_layers", "mtp_num_hidden_layers", "mtp_num_layers"})
                if (text_.find(at(key)))
                    set(key, "0");  // their layers fit the decoder as it was
        if (!cut())
            return;
        set("num_hidden_layers", fmt::format("{}", kept_.size()));
        Windows windows = traits_of(to_.family).windows;
        const ConfigValue* types = text_.find(at("layer_types"));
        if (types && types->is_list())
            set("layer_types", list_like(text_.text(), *types, kept_items(*types)));
        else if (windows == Windows::even || windows == Windows::patterned)
            set("layer_types", new_list(explicit_types()));
        const ConfigValue* most = text_.find(at("max_window_layers"));
        if (windows == Windows::upper && most && most->kind == ConfigValue::Kind::integer)
            set("max_window_layers", fmt::format("{}", survivors_below(most->integer)));
        else if (windows == Windows::upper && !types && any_window())
            set("max_window_layers", fmt::format("{}", survivors_below(28)));
    }

    std::int64_t survivors_below(std::int64_t bound) const {
        return std::count_if(
            kept_.begin(), kept_.end(), [bound](std::int64_t layer) { return layer < bound; });
    }

    bool any_window() const {
        return std::any_of(from_.layers.begin(), from_.layers.end(), [](const Layer& layer) {
            return layer.attention->window.has_value();
        });
    }

    std::vector<std::string> kept_items(const ConfigValue& list) const {
        std::vector<std::string> out;
        for (std::int64_t layer : kept_) {
            const ConfigValue& item = list.items[static_cast<std::size_t>(layer)];
            out.push_back(text_.text().substr(item.begin, item.end - item.begin));
        }
        return out;
    }

    std::vector<std::string> explicit_types() const {
        std::vector<std::string> out;
        for (std::int64_t layer : kept_)
            out.push_back(from_.layers[static_cast<std::size_t>(layer)].attention->window
                              ? "\"sliding_attention\""
                              : "\"full_attention\"");
        return out;
    }

    /// As Python's indent=2 spells it, where the file has lines.
    std::string new_list(const std::vector<std::string>& items) const {
        if (text_.text().find('\n') == std::string::npos)
            return fmt::format("[{}]", fmt::join(items, ", "));
        return fmt::format("[\n    {}\n  ]", fmt::join(items, ",\n    "));
    }

    void write_dtype() {
        if (to_.dtype == from_.dtype || to_.dtype.empty())
            return;
        bool found = false;
        for (std::string_view key : {"dtype", "torch_dtype"})
            if (const ConfigValue* value = text_.find(at(key)); value && !value->is_null()) {
                set(key, json_quoted(to_.dtype));
                found = true;
            }
        bool new_style = text_.find(at("rope_parameters"));
        if (!found)
            set(new_style ? "dtype" : "torch_dtype", json_quoted(to_.dtype));
    }

    void write_tied() {
        if (to_.tied == from_.tied)
            return;
        set("tie_word_embeddings", to_.tied ? "true" : "false");
    }

    ConfigText text_;
    const ModelConfig& from_;
    const ModelConfig& to_;
    std::vector<std::int64_t> kept_;
};

std::string difference(const Layer& a, const Layer& b) {
    if (!(a.mlp == b.mlp))
        return "the MLP";
    if (!a.attention || !b.attention)
        return "the attention";
    if (a.attention->window != b.attention->window)
        return "the window";
    if (!(a.attention->rope == b.attention->rope))
        return "RoPE";
    return "the heads";
}

std::string difference(const ModelConfig& a, const ModelConfig& b) {
    if (a.layers.size() != b.layers.size())
        return "the number of layers";
    for (std::size_t i = 0; i < a.layers.size(); ++i)
        if (!(a.layers[i] == b.layers[i]))
            return fmt::format("{} of layer {}", difference(a.layers[i], b.layers[i]), i);
    if (a.hidden != b.hidden || a.vocab != b.vocab)
        return "hidden or vocabulary size";
    if (a.norm != b.norm || a.norm_eps != b.norm_eps || a.four_norms != b.four_norms ||
        a.qk_norm != b.qk_norm)
        return "the norms";
    if (a.activation != b.activation || a.gated != b.gated)
        return "the activation";
    if (a.qkv_bias != b.qkv_bias || a.o_bias != b.o_bias || a.mlp_bias != b.mlp_bias)
        return "the biases";
    if (a.attention_scale != b.attention_scale || a.attention_cap != b.attention_cap ||
        a.final_cap != b.final_cap || a.embedding_scale != b.embedding_scale ||
        a.branch_scale != b.branch_scale || a.logit_divisor != b.logit_divisor)
        return "the scales or caps of attention, branches and logits";
    if (a.max_positions != b.max_positions)
        return "max_position_embeddings";
    if (a.dtype != b.dtype)
        return "the dtype";
    return "tied or scaled embeddings";
}

}  // namespace

ConfigText expressed(const ConfigText& text,
                     const ModelConfig& from,
                     const ModelConfig& to,
                     std::span<const std::int64_t> kept) {
    return Editor(text, from, to, kept).edit();
}

void require_same(const ModelConfig& wanted, const ModelConfig& found) {
    if (!(wanted == found))
        throw refusal(fmt::format("the config.json of a {} cannot say {}",
                                  traits_of(wanted.family).model_type,
                                  difference(wanted, found)));
}

void require_stock(const ModelConfig& model) {
    if (!is_uniform(model))
        throw refusal(
            fmt::format("the layers differ in heads or width, or miss a block: {} has one "
                        "shape for all",
                        traits_of(model.family).architecture))
            .hint(
                "such a model has other classes: DeciLMForCausalLM (block_configs) loads in vLLM, "
                "AnyModel in Model-Optimizer, GGUF with arrays in some of llama.cpp; none of them "
                "is written yet");
    for (Misfit& misfit : misfits(model))
        throw refusal(std::move(misfit.message)).hint(std::move(misfit.hint));
}

}  // namespace stillroom::lm
