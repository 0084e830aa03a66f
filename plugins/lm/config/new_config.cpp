#include "plugins/lm/config/new_config.h"

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "plugins/lm/config/config_text.h"
#include "plugins/lm/config/express.h"
#include "plugins/lm/config/families.h"
#include "plugins/lm/config/limits.h"
#include "plugins/lm/config/read_config.h"
#include "plugins/lm/config/rope.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

namespace stillroom::lm {
namespace {

struct Bound {
    std::string_view name;
    std::int64_t value, most;
};

void check(const NewModel& numbers) {
    for (const Bound& bound : {Bound{"hidden", numbers.hidden, kMostHidden},
                               Bound{"layers", numbers.layers, kMostLayers},
                               Bound{"heads", numbers.heads, kMostHeads},
                               Bound{"ffn", numbers.ffn, kMostWidth},
                               Bound{"vocab", numbers.vocab, kMostVocab}})
        if (bound.value < 1 || bound.value > bound.most)
            throw Error(
                {},
                fmt::format(
                    "{} is {}: it must be from 1 to {}", bound.name, bound.value, bound.most))
                .key(std::string(bound.name))
                .exit_code(kExitUsage);
}

std::string_view name_of(Activation activation) {
    switch (activation) {
        case Activation::silu:
            return "silu";
        case Activation::gelu_tanh:
            return "gelu_pytorch_tanh";
        case Activation::gelu:
            return "gelu";
        case Activation::relu_squared:
            return "relu2";
    }
    return "";
}

/// Keys in the order in which transformers sorts them.
class Writer {
public:
    Writer(const ModelConfig& model, const TokenIds& tokens)
        : model_(model),
          traits_(traits_of(model.family)),
          tokens_(tokens) {}

    std::string write() {
        write_names();
        write_shapes();
        write_rope();
        write_windows();
        write_tokens();
        JsonWriter json(2);
        json.begin_object();
        for (const auto& [key, value] : keys_) {
            json.key(key);
            json.raw(value);
        }
        json.end_object();
        return json.take() + "\n";
    }

private:
    void raw(std::string_view key, std::string value) {
        keys_[std::string(key)] = std::move(value);
    }
    void text(std::string_view key, std::string_view value) { raw(key, json_quoted(value)); }
    void integer(std::string_view key, std::int64_t value) { raw(key, fmt::format("{}", value)); }
    void number(std::string_view key, double value) { raw(key, python_number(value)); }
    void flag(std::string_view key, bool value) { raw(key, value ? "true" : "false"); }

    const Attention& attention() const { return *model_.layers.front().attention; }

    /// The first layer of the kind, or nothing.
    const Attention* first(bool windowed) const {
        for (const Layer& layer : model_.layers)
            if (layer.attention->window.has_value() == windowed)
                return &*layer.attention;
        return nullptr;
    }

    void write_names() {
        raw("architectures", fmt::format("[\n    {}\n  ]", json_quoted(traits_.architecture)));
        text("model_type", traits_.model_type);
        if (!model_.dtype.empty())
            text("torch_dtype", model_.dtype);
        text(traits_.activation_key, name_of(model_.activation));
        number(traits_.eps_key, model_.norm_eps);
        number("initializer_range", 0.02);
        number("attention_dropout", 0);
        flag("use_cache", true);
        flag("tie_word_embeddings", model_.tied);
        if (traits_.attention_bias_key)
            flag("attention_bias", model_.o_bias);
        if (traits_.mlp_bias_key)
            flag("mlp_bias", model_.mlp_bias);
    }

    void write_shapes() {
        integer("vocab_size", model_.vocab);
        integer("hidden_size", model_.hidden);
        integer("intermediate_size", model_.layers.front().mlp->width);
        integer("num_hidden_layers", static_cast<std::int64_t>(model_.layers.size()));
        integer("num_attention_heads", attention().heads);
        integer("num_key_value_heads", attention().kv_heads);
        integer("head_dim", attention().head_dim);
        integer("max_position_embeddings", model_.max_positions);
        if (traits_.query_scalar) {
            double scalar = 1 / (model_.attention_scale * model_.attention_scale);
            double whole = std::round(scalar);
            if (std::abs(scalar - whole) < 1e-6 * whole)
                integer("query_pre_attn_scalar", static_cast<std::int64_t>(whole));
            else
                number("query_pre_attn_scalar", scalar);
        }
        if (traits_.multipliers) {
            number("attention_multiplier", model_.attention_scale);
            number("embedding_multiplier", model_.embedding_scale);
            number("residual_multiplier", model_.branch_scale);
            number("logits_scaling", model_.logit_divisor);
        }
        if (traits_.caps_keys) {
            raw("attn_logit_softcapping",
                model_.attention_cap ? python_number(*model_.attention_cap) : "null");
            raw("final_logit_softcapping",
                model_.final_cap ? python_number(*model_.final_cap) : "null");
        }
    }

    void write_rope() {
        const Attention* full = first(false);
        const Attention* windowed = first(true);
        bool two = traits_.local_theta != 0;
        const Rope& rope = (full ? full : windowed)->rope;
        if (full || !two)
            number("rope_theta", rope.theta);
        if (two && windowed)
            number("rope_local_base_freq", windowed->rope.theta);
        if (traits_.partial_rotary_key)
            number(
                "partial_rotary_factor",
                static_cast<double>(rope.rotary_dim) / static_cast<double>(attention().head_dim));
        raw("rope_scaling", full || !two ? scaling(rope) : "null");
    }

    static std::string scaling(const Rope& rope) {
        std::vector<std::pair<std::string, std::string>> pairs;
        auto put = [&](std::string_view key, double value) {
            pairs.emplace_back(key, python_number(value));
        };
        auto type = [&](std::string_view name) {
            put("factor", rope.factor);
            if (name == "llama3" || name == "yarn")
                pairs.emplace_back("original_max_position_embeddings",
                                   fmt::format("{}", rope.original_length));
            pairs.emplace_back("rope_type", json_quoted(name));
        };
        switch (rope.scaling) {
            case RopeScaling::none:
                return "null";
            case RopeScaling::linear:
                type("linear");
                break;
            case RopeScaling::dynamic:
                type("dynamic");
                break;
            case RopeScaling::llama3:
                type("llama3");
                put("low_freq_factor", rope.low_freq_factor);
                put("high_freq_factor", rope.high_freq_factor);
                break;
            case RopeScaling::yarn:
                type("yarn");
                put("beta_fast", rope.beta_fast);
                put("beta_slow", rope.beta_slow);
                if (rope.mscale != 0)
                    put("mscale", rope.mscale);
                if (rope.mscale_all_dim != 0)
                    put("mscale_all_dim", rope.mscale_all_dim);
                if (!rope.truncate)
                    pairs.emplace_back("truncate", "false");
                if (rope.attention_factor !=
                    yarn_attention_factor(rope.factor, rope.mscale, rope.mscale_all_dim))
                    put("attention_factor", rope.attention_factor);
                break;
        }
        std::string out;
        for (const auto& [key, value] : pairs)
            out += fmt::format("{}\n    {}: {}", out.empty() ? "" : ",", json_quoted(key), value);
        return fmt::format("{{{}\n  }}", out);
    }

    void write_windows() {
        const Attention* windowed = first(true);
        std::string window = windowed ? fmt::format("{}", *windowed->window) : std::string("null");
        switch (traits_.windows) {
            case Windows::none:
                return;
            case Windows::all:
                raw("sliding_window", window);
                return;
            case Windows::upper:
                flag("use_sliding_window", windowed != nullptr);
                raw("sliding_window", window);
                integer("max_window_layers", upper_from());
                break;
            case Windows::even:
            case Windows::patterned:
                integer("sliding_window", windowed ? *windowed->window : traits_.window);
                break;
        }
        std::string types;
        for (const Layer& layer : model_.layers)
            types += fmt::format("{}\n    \"{}_attention\"",
                                 types.empty() ? "" : ",",
                                 layer.attention->window ? "sliding" : "full");
        raw("layer_types", fmt::format("[{}\n  ]", types));
    }

    std::int64_t upper_from() const {
        std::int64_t layer = 0;
        for (const Layer& at : model_.layers) {
            if (at.attention->window)
                break;
            ++layer;
        }
        return layer;
    }

    void write_tokens() {
        auto id = [&](std::string_view key, std::optional<std::int64_t> value) {
            raw(key, value ? fmt::format("{}", *value) : "null");
        };
        id("bos_token_id", tokens_.bos);
        id("pad_token_id", tokens_.pad);
        if (tokens_.eos.size() > 1)
            raw("eos_token_id", fmt::format("[\n    {}\n  ]", fmt::join(tokens_.eos, ",\n    ")));
        else
            id("eos_token_id",
               tokens_.eos.empty() ? std::nullopt : std::optional(tokens_.eos.front()));
    }

    const ModelConfig& model_;
    const FamilyTraits& traits_;
    const TokenIds& tokens_;
    std::map<std::string, std::string> keys_;
};

}  // namespace

ModelConfig new_model(const NewModel& numbers) {
    check(numbers);
    // The class's own rules fill in the rest: write what is known, read it back.
    const FamilyTraits& traits = traits_of(numbers.family);
    JsonWriter json;
    json.begin_object();
    auto integer = [&](std::string_view key, std::int64_t value) {
        if (value == 0)
            return;
        json.key(key);
        json.integer(value);
    };
    json.key("model_type");
    json.string(traits.model_type);
    json.key("torch_dtype");
    json.string(numbers.dtype);
    integer("hidden_size", numbers.hidden);
    integer("num_hidden_layers", numbers.layers);
    integer("num_attention_heads", numbers.heads);
    integer("num_key_value_heads", numbers.kv_heads != 0 ? numbers.kv_heads : numbers.heads);
    std::int64_t head_dim = numbers.head_dim;
    if (head_dim == 0 && numbers.hidden % numbers.heads == 0)
        head_dim = numbers.hidden / numbers.heads;
    integer("head_dim", head_dim);
    if (traits.query_scalar)
        integer("query_pre_attn_scalar", head_dim);
    if (traits.multipliers && head_dim > 0) {
        json.key("attention_multiplier");  // as other families scale: the class's 1 is nobody's
        json.number(1 / std::sqrt(static_cast<double>(head_dim)));
    }
    integer("intermediate_size", numbers.ffn);
    integer("vocab_size", numbers.vocab);
    integer("max_position_embeddings", numbers.max_positions);
    if (numbers.theta != 0) {
        json.key("rope_theta");
        json.number(numbers.theta);
    }
    if (numbers.tied) {
        json.key("tie_word_embeddings");
        json.boolean(*numbers.tied);
    }
    if (numbers.window != 0 || traits.windows == Windows::all) {
        json.key("sliding_window");
        json.raw(numbers.window != 0 ? fmt::format("{}", numbers.window) : "null");
    }
    if (numbers.window != 0 && traits.windows == Windows::upper) {
        json.key("use_sliding_window");
        json.boolean(true);
        json.key("max_window_layers");
        json.integer(0);
    }
    json.end_object();
    try {
        return read_model(ConfigText::parse(json.take(), ""));
    } catch (Error& error) {
        throw Error({}, error.what()).hint(error.hint_text()).exit_code(kExitUsage);
    }
}

std::string config_json(const ModelConfig& model, const TokenIds& tokens) {
    require_stock(model);
    if (model.layers.empty())
        throw Error({}, "a model without layers").exit_code(kExitUsage);
    std::string out = Writer(model, tokens).write();
    require_same(model, read_model(ConfigText::parse(out, "config.json")));
    return out;
}

}  // namespace stillroom::lm
