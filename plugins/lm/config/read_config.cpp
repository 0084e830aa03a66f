#include "plugins/lm/config/read_config.h"

#include "engine/base/text.h"
#include "plugins/lm/config/config_keys.h"
#include "plugins/lm/config/families.h"
#include "plugins/lm/config/limits.h"
#include "plugins/lm/config/read_rope.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stillroom::lm {
namespace {

// What a class computes otherwise when one of these is there and not false, null or empty. Left
// unread, the numbers would be wrong and nobody told.
struct Changing {
    std::string_view key, why;
};
constexpr Changing kChanging[] = {
    {"block_configs", "layers of unequal shapes are not supported yet"},
    {"per_layer_config", "layers of unequal shapes are not supported yet"},
    {"use_bidirectional_attention", "attention that looks ahead is not supported"},
    {"use_mrope", "RoPE in three dimensions is not supported"},
    {"rope_interleaved", "interleaved RoPE is not supported in this family"},
};

bool is_false(const ConfigValue& value) {
    return value.is_null() || (value.kind == ConfigValue::Kind::boolean && !value.boolean) ||
           (value.is_map() && value.members.empty()) || (value.is_list() && value.items.empty());
}

class Reader {
public:
    explicit Reader(const ConfigText& text)
        : traits_(*read_family(text).traits),
          path_(decoder_path(text)),
          top_(text, text.root()),
          keys_(text, *text.find(path_)) {}

    ModelConfig read() {
        refuse_changing();
        out_.family = traits_.family;
        out_.hidden = keys_.required("hidden_size", 1, kMostHidden);
        out_.vocab = shape("vocab_size", kMostVocab, 262208);
        read_flags();
        read_layers();
        return std::move(out_);
    }

private:
    void refuse_changing() const {
        for (const ConfigKeys* keys : {&top_, &keys_}) {
            if (const ConfigValue* quantized = keys->find("quantization_config")) {
                const ConfigValue* method = quantized->find("quant_method");
                throw keys
                    ->error(quantized,
                            fmt::format("the weights are quantized ({})",
                                        method && method->kind == ConfigValue::Kind::string
                                            ? shorten(escape_controls(method->string), 40)
                                            : "quantization_config"))
                    .hint("quantized folders are not supported yet: take the model in bfloat16");
            }
            for (const Changing& changing : kChanging)
                if (const ConfigValue* value = keys->find(changing.key); value && !is_false(*value))
                    throw keys->error(value, fmt::format("{}: {}", changing.key, changing.why));
        }
    }

    /// transformers writes a nested config without what its class assumes, a whole one with it;
    /// `gemma3` is what that class does, whose published files count on it.
    std::int64_t shape(std::string_view key, std::int64_t most, std::int64_t gemma3) const {
        if (path_.empty() || traits_.family != Family::gemma3)
            return keys_.required(key, 1, most);
        return keys_.integer(key, 1, most).value_or(gemma3);
    }

    void read_flags() {
        out_.norm = traits_.norm;
        out_.norm_eps = keys_.number_or(traits_.eps_key, 0, traits_.eps);
        out_.activation = activation();
        out_.gated = traits_.gated;
        out_.four_norms = traits_.four_norms;
        out_.qk_norm = traits_.qk_norm;
        bool bias = traits_.attention_bias_key && flag("attention_bias", false);
        out_.qkv_bias = traits_.qkv_bias || bias;
        out_.o_bias = bias;
        out_.mlp_bias = traits_.mlp_bias_key && flag("mlp_bias", false);
        out_.scaled_embedding = traits_.scaled_embedding;
        out_.tied = tied();
        out_.max_positions = keys_.integer("max_position_embeddings", 1, kMostPositions)
                                 .value_or(traits_.max_positions);
        out_.dtype = dtype();
        if (traits_.caps_keys) {
            out_.attention_cap = cap("attn_logit_softcapping", traits_.attention_cap);
            out_.final_cap = cap("final_logit_softcapping", traits_.final_cap);
            if (out_.attention_cap && traits_.family == Family::gemma3)
                throw keys_.error(keys_.find("attn_logit_softcapping"),
                                  "attn_logit_softcapping: transformers does not read it in a "
                                  "gemma3, so what it should do is not known");
        }
    }

    bool flag(std::string_view key, bool otherwise) const {
        return keys_.boolean(key).value_or(otherwise);
    }

    bool tied() const {
        std::optional<bool> outer = top_.boolean("tie_word_embeddings");
        std::optional<bool> inner = keys_.boolean("tie_word_embeddings");
        return outer ? *outer : inner.value_or(traits_.tied);
    }

    /// Null is no cap; an absent key is the class's.
    std::optional<double> cap(std::string_view key, double otherwise) const {
        if (keys_.map().find(key))
            return keys_.number(key, 0);
        return otherwise != 0 ? std::optional<double>(otherwise) : std::nullopt;
    }

    Activation activation() const {
        std::string name =
            keys_.string(traits_.activation_key).value_or(std::string(traits_.activation));
        if (name == "silu" || name == "swish")
            return Activation::silu;
        if (name == "gelu_pytorch_tanh" || name == "gelu_new")
            return Activation::gelu_tanh;
        if (name == "gelu")
            return Activation::gelu;
        if (name == "relu2")
            return Activation::relu_squared;
        throw keys_
            .error(keys_.find(traits_.activation_key),
                   fmt::format("{} '{}' is not supported",
                               traits_.activation_key,
                               shorten(escape_controls(name), 40)))
            .hint("supported are silu (swish), gelu, gelu_pytorch_tanh (gelu_new) and relu2");
    }

    std::string dtype() const {
        std::string found;
        for (const ConfigKeys* keys : {&keys_, &top_}) {
            for (std::string_view key : {"dtype", "torch_dtype"}) {
                std::optional<std::string> name = keys->string(key);
                if (!name)
                    continue;
                if (*name != "bfloat16" && *name != "float16" && *name != "float32")
                    throw keys
                        ->error(keys->find(key),
                                fmt::format("{} '{}' is not supported",
                                            key,
                                            shorten(escape_controls(*name), 40)))
                        .hint("supported are bfloat16, float16 and float32");
                if (found.empty())
                    found = *name;
                else if (found != *name)
                    throw keys->error(
                        keys->find(key),
                        fmt::format("{} is '{}', elsewhere it is '{}'", key, *name, found));
            }
        }
        return found;
    }

    void read_layers() {
        std::int64_t count = shape("num_hidden_layers", kMostLayers, 26);
        Attention attention;
        attention.heads = shape("num_attention_heads", kMostHeads, 8);
        attention.kv_heads = keys_.integer("num_key_value_heads", 1, kMostHeads)
                                 .value_or(has_null("num_key_value_heads") || traits_.kv_heads == 0
                                               ? attention.heads
                                               : traits_.kv_heads);
        if (attention.heads % attention.kv_heads != 0)
            throw keys_.error(keys_.find("num_key_value_heads"),
                              fmt::format("{} heads are no multiple of {} KV heads",
                                          attention.heads,
                                          attention.kv_heads));
        attention.head_dim = head_dim(attention.heads);
        Layer layer{.attention = attention,
                    .mlp = Mlp{shape("intermediate_size", kMostWidth, 9216)}};
        double scalar = static_cast<double>(attention.head_dim);
        if (traits_.query_scalar)
            scalar = keys_.number_or("query_pre_attn_scalar", 0, 256);
        out_.attention_scale = 1 / std::sqrt(scalar);
        if (traits_.multipliers)
            read_multipliers();
        Ropes ropes = read_ropes(keys_, traits_, attention.head_dim, out_.max_positions);
        std::vector<bool> windowed = windows(count);
        std::optional<std::int64_t> window = window_size();
        for (std::int64_t i = 0; i < count; ++i) {
            bool has = windowed[static_cast<std::size_t>(i)];
            if (has && !window)
                throw keys_.error(
                    keys_.find("layer_types"),
                    fmt::format("layer {} has a window, but its size is off "
                                "(sliding_window{})",
                                i,
                                traits_.windows == Windows::upper ? ", use_sliding_window" : ""));
            layer.attention->window = has ? window : std::nullopt;
            layer.attention->rope = has ? ropes.windowed : ropes.full;
            out_.layers.push_back(layer);
        }
    }

    void read_multipliers() {
        out_.attention_scale = keys_.number_or("attention_multiplier", 0, 1);
        out_.embedding_scale = keys_.number_or("embedding_multiplier", 0, 1);
        out_.branch_scale = keys_.number_or("residual_multiplier", 0, 1);
        out_.logit_divisor = keys_.number_or("logits_scaling", 0, 1);
    }

    bool has_null(std::string_view key) const {
        const ConfigValue* value = keys_.map().find(key);
        return value && value->is_null();
    }

    std::int64_t head_dim(std::int64_t heads) const {
        std::optional<std::int64_t> given = keys_.integer("head_dim", 1, kMostWidth);
        std::int64_t dim = given              ? *given
                           : traits_.head_dim ? traits_.head_dim
                                              : out_.hidden / heads;
        if (dim < 1 || dim * heads > kMostWidth)
            throw keys_.error(keys_.find("num_attention_heads"),
                              fmt::format("{} heads of {} dims on {} channels: a head has at least "
                                          "1 dim, all together at most {}",
                                          heads,
                                          dim,
                                          out_.hidden,
                                          kMostWidth));
        return dim;
    }

    /// Nothing where windows are off.
    std::optional<std::int64_t> window_size() const {
        if (traits_.windows == Windows::none ||
            (traits_.windows == Windows::upper && !flag("use_sliding_window", false)))
            return {};
        if (has_null("sliding_window"))
            return {};
        return keys_.integer("sliding_window", 1, kMostPositions).value_or(traits_.window);
    }

    std::vector<bool> windows(std::int64_t count) const {
        std::vector<bool> by_rule = rule(count);
        const ConfigValue* types = keys_.find("layer_types");
        if (!types)
            return by_rule;
        if (!types->is_list() || types->items.size() != static_cast<std::size_t>(count))
            throw keys_.error(
                types,
                fmt::format("layer_types is {}, num_hidden_layers is {}",
                            types->is_list() ? plural(types->items.size(), "type") : "no list",
                            count));
        std::vector<bool> out;
        for (const ConfigValue& type : types->items) {
            bool full = type.string == "full_attention" || type.string == "attention";
            if (!full && type.string != "sliding_attention")
                throw keys_
                    .error(&type,
                           fmt::format("layers of type '{}' are not supported",
                                       shorten(escape_controls(type.string), 40)))
                    .hint("supported are full_attention and sliding_attention");
            out.push_back(!full);
        }
        bool read = traits_.windows != Windows::none && traits_.windows != Windows::all;
        if (!read && out != by_rule)
            throw keys_.error(types,
                              fmt::format("layer_types says another window than a {} computes: "
                                          "transformers does not read it there",
                                          traits_.model_type));
        return out;
    }

    /// Which layers have a window where no list says so.
    std::vector<bool> rule(std::int64_t count) const {
        std::vector<bool> out(static_cast<std::size_t>(count));
        std::int64_t from = count, period = 0;
        switch (traits_.windows) {
            case Windows::none:
                break;
            case Windows::all:
                from = window_size() ? 0 : count;
                break;
            case Windows::upper:
                from = keys_.integer("max_window_layers", 0, kMostPositions)
                           .value_or(traits_.max_window_layers);
                from = window_size() ? from : count;
                break;
            case Windows::even:
                from = 0;
                period = 2;
                break;
            case Windows::patterned:
                from = 0;
                period = keys_.integer("sliding_window_pattern", 1, kMostPositions).value_or(6);
                break;
        }
        for (std::int64_t i = from; i < count; ++i)
            out[static_cast<std::size_t>(i)] = period == 0 || (i + 1) % period != 0;
        return out;
    }

    const FamilyTraits& traits_;
    ConfigPath path_;
    ConfigKeys top_, keys_;
    ModelConfig out_;
};

}  // namespace

ModelConfig read_model(const ConfigText& text) {
    return Reader(text).read();
}

}  // namespace stillroom::lm
