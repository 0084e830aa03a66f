#include "plugins/lm/weights/gguf_model.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "plugins/lm/config/families.h"
#include "plugins/lm/config/limits.h"
#include "plugins/lm/config/new_config.h"
#include "plugins/lm/weights/gguf_keys.h"
#include "plugins/lm/weights/gguf_rope.h"
#include "plugins/lm/weights/weight_table.h"

#include <fmt/format.h>

#include <cmath>

namespace stillroom::lm {
namespace {

constexpr std::string_view kPattern = "attention.sliding_window_pattern";

class ModelOfGguf {
public:
    ModelOfGguf(const GgufFile& file, Dtype dtype)
        : file_(file),
          keys_(file),
          traits_(traits_of(family())) {
        numbers_.family = traits_.family;
        numbers_.dtype = dtype == Dtype::f32   ? "float32"
                         : dtype == Dtype::f16 ? "float16"
                                               : "bfloat16";
    }

    ModelConfig read() {
        shapes();
        head_size();
        vocabulary();
        ModelConfig model = new_model(numbers_);
        model.norm_eps = norm_eps();
        biases(model);
        layers(model);
        if (traits_.caps_keys)
            caps(model);
        if (traits_.multipliers)
            multipliers(model);
        nothing_else();
        return model;
    }

private:
    Family family() const {
        std::vector<std::string> names;
        for (const FamilyTraits& traits : all_families()) {
            std::string_view name = gguf_architecture(traits.family);
            if (name == keys_.architecture()) {
                // Mistral's files are of the architecture llama; with a window they are no Llama.
                bool windowed = keys_.integer("attention.sliding_window").value_or(0) > 0;
                return name == "llama" && windowed ? Family::mistral : traits.family;
            }
            if (names.empty() || names.back() != name)
                names.emplace_back(name);
        }
        file_.refuse(
            fmt::format("the architecture '{}' is not supported", shown(keys_.architecture())),
            "supported are " + join(names));
    }

    void shapes() {
        numbers_.layers = keys_.positive("block_count", kMostLayers);
        numbers_.hidden = keys_.positive("embedding_length", kMostHidden);
        numbers_.heads = keys_.per_layer("attention.head_count", kMostHeads);
        numbers_.kv_heads = keys_.find("attention.head_count_kv")
                                ? keys_.per_layer("attention.head_count_kv", kMostHeads)
                                : numbers_.heads;
        numbers_.ffn = keys_.per_layer("feed_forward_length", kMostWidth);
        numbers_.max_positions = keys_.positive("context_length", kMostPositions);
        if (traits_.windows != Windows::none && traits_.windows != Windows::upper)
            numbers_.window = keys_.integer("attention.sliding_window").value_or(0);
        if (numbers_.window < 0 || numbers_.window > kMostPositions)
            file_.refuse(fmt::format("{} is {}, not up to {}",
                                     keys_.name("attention.sliding_window"),
                                     numbers_.window,
                                     kMostPositions));
        if (numbers_.heads % numbers_.kv_heads != 0)
            file_.refuse(fmt::format(
                "{} heads are no multiple of {} KV heads", numbers_.heads, numbers_.kv_heads));
    }

    void head_size() {
        std::int64_t dims =
            keys_.integer("attention.key_length").value_or(numbers_.hidden / numbers_.heads);
        if (dims < 1 || dims > kMostWidth / numbers_.heads)
            file_.refuse(fmt::format("{} heads of {} dims: together they have 1 to {}",
                                     numbers_.heads,
                                     dims,
                                     kMostWidth));
        keys_.only("attention.value_length", dims);
        keys_.only("attention.key_length_swa", dims);
        keys_.only("attention.value_length_swa", dims);
        rotary_ = keys_.integer("rope.dimension_count").value_or(dims);
        if (rotary_ < 2 || rotary_ > dims || rotary_ % 2 != 0 ||
            (!traits_.partial_rotary_key && rotary_ != dims))
            file_.refuse(fmt::format("{} is {} where a head has {} dims",
                                     keys_.name("rope.dimension_count"),
                                     rotary_,
                                     dims));
        keys_.only("rope.dimension_count_swa", rotary_);
        numbers_.head_dim = dims;
    }

    void vocabulary() {
        const GgufTensor* embedding = file_.tensor("token_embd.weight");
        if (!embedding || embedding->shape.size() != 2 || embedding->shape[0] > kMostVocab)
            file_.refuse(
                embedding
                    ? fmt::format("'token_embd.weight' has the shape {}, not [vocabulary, width]",
                                  to_string(embedding->shape))
                    : std::string("the tensor 'token_embd.weight' is missing"));
        numbers_.vocab = embedding->shape[0];
        numbers_.tied = file_.tensor("output.weight") == nullptr;
        std::optional<std::int64_t> said = keys_.integer("vocab_size");
        if (said && *said != numbers_.vocab)
            file_.refuse(fmt::format("{} is {}, and 'token_embd.weight' has {} rows",
                                     keys_.name("vocab_size"),
                                     *said,
                                     numbers_.vocab));
    }

    double norm_eps() const {
        // LayerNorm's and RMSNorm's; some writers took one for the other.
        constexpr std::string_view kEither[] = {"attention.layer_norm_rms_epsilon",
                                                "attention.layer_norm_epsilon"};
        for (std::string_view key : kEither)
            if (std::optional<double> eps = keys_.number(key)) {
                if (!std::isfinite(*eps) || *eps < 0 || *eps > 1)
                    file_.refuse(fmt::format("{} is {}", keys_.name(key), *eps));
                for (std::string_view other : kEither)
                    keys_.skip(other);
                return shortest_decimal(*eps);
            }
        file_.refuse(fmt::format("the key '{}' is missing", keys_.name(kEither[0])));
    }

    void biases(ModelConfig& model) const {
        auto has = [&](std::string_view name) { return file_.tensor(name) != nullptr; };
        model.qkv_bias = has("blk.0.attn_q.bias");
        model.o_bias = has("blk.0.attn_output.bias");
        model.mlp_bias = has("blk.0.ffn_up.bias");
    }

    void layers(ModelConfig& model) const {
        Rope full = gguf_rope(file_, keys_, rotary_, numbers_.max_positions);
        Rope windowed = full;
        if (traits_.local_theta != 0) {
            windowed = Rope{.theta = traits_.local_theta, .rotary_dim = rotary_};
            if (std::optional<double> theta = keys_.number("rope.freq_base_swa"))
                windowed.theta = shortest_decimal(*theta);
            if (!std::isfinite(windowed.theta) || windowed.theta <= 1)
                file_.refuse(
                    fmt::format("{} is {}", keys_.name("rope.freq_base_swa"), windowed.theta));
        }
        std::vector<bool> has_window = windows(model);
        for (std::size_t i = 0; i < model.layers.size(); ++i) {
            Attention& attention = *model.layers[i].attention;
            attention.window =
                has_window[i] ? std::optional(numbers_.window) : std::optional<std::int64_t>();
            attention.rope = has_window[i] ? windowed : full;
        }
        // GGUF does not say what queries are scaled by. The published 27B models alone, known by
        // their layers, scale by hidden / heads where the others scale by a head's size.
        bool largest = (traits_.family == Family::gemma2 && numbers_.layers == 46) ||
                       (traits_.family == Family::gemma3 && numbers_.layers == 62);
        if (largest)
            model.attention_scale = 1 / std::sqrt(static_cast<double>(numbers_.hidden) /
                                                  static_cast<double>(numbers_.heads));
    }

    /// Which layers have a window: the family's rule, for Gemma 3 a period or a list in the file.
    std::vector<bool> windows(const ModelConfig& model) const {
        std::vector<bool> out;
        for (const Layer& layer : model.layers)
            out.push_back(layer.attention->window.has_value());
        const GgufValue* list = keys_.find(kPattern);
        if (!list || traits_.windows != Windows::patterned) {
            if (traits_.windows == Windows::even)
                keys_.only(kPattern, 2);
            return out;
        }
        if (!list->is_array) {
            auto period = static_cast<std::size_t>(keys_.positive(kPattern, kMostLayers));
            for (std::size_t i = 0; i < out.size(); ++i)
                out[i] = (i + 1) % period != 0;
            return out;
        }
        keys_.skip(kPattern);
        if (list->count != out.size())
            file_.refuse(fmt::format(
                "{} has {} items for {} layers", keys_.name(kPattern), list->count, out.size()));
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = list->integer(i).value_or(0) != 0;
        return out;
    }

    void caps(ModelConfig& model) const {
        auto cap = [&](std::string_view key, std::optional<double>& into) {
            std::optional<double> value = keys_.number(key);
            if (!value)
                return;
            if (!std::isfinite(*value) || *value < 0)
                file_.refuse(fmt::format("{} is {}", keys_.name(key), *value));
            into = *value == 0 ? std::optional<double>() : std::optional(shortest_decimal(*value));
        };
        cap("attn_logit_softcapping", model.attention_cap);
        cap("final_logit_softcapping", model.final_cap);
    }

    void multipliers(ModelConfig& model) const {
        auto read = [&](std::string_view key, double otherwise) {
            double value = keys_.number(key).value_or(otherwise);
            if (!std::isfinite(value) || value <= 0)
                file_.refuse(fmt::format("{} is {}", keys_.name(key), value));
            return value == otherwise ? value : shortest_decimal(value);
        };
        model.attention_scale = read("attention.scale", model.attention_scale);
        model.embedding_scale = read("embedding_scale", 1);
        model.branch_scale = read("residual_scale", 1);
        model.logit_divisor = read("logit_scale", 1);
    }

    /// What a family does not know may be there only if it changes nothing.
    void nothing_else() const {
        for (std::string_view key :
             {"attention.sliding_window", "expert_count", "expert_used_count"})
            if (!keys_.was_read(key))
                keys_.only(key, 0);
        keys_.only_true("attention.causal");
        keys_.only_true("use_parallel_residual");
        keys_.skip("tensor_data_layout");
        keys_.refuse_unread();
    }

    const GgufFile& file_;
    GgufKeys keys_;
    const FamilyTraits& traits_;
    NewModel numbers_;
    std::int64_t rotary_ = 0;
};

}  // namespace

ModelConfig gguf_model(const GgufFile& file, Dtype dtype) try {
    return ModelOfGguf(file, dtype).read();
} catch (const Error& error) {
    if (error.exit_code() == kExitBadInput)
        throw;
    file.refuse(error.what(), error.hint_text());
}

}  // namespace stillroom::lm
