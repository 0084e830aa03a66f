#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::lm {

// A decoder as data, layer by layer: a depth-pruned, a width-pruned and a heterogeneous model are
// the same kind of thing as a published one. Nothing here knows a tensor; lm/weights says which
// tensors a family has, lm/modules what it computes.

enum class Family : std::uint8_t {
    llama,
    mistral,
    qwen2,
    qwen3,
    gemma,
    gemma2,
    gemma3,
    nemotron,
    granite
};
inline constexpr int kFamilyCount = 9;

enum class Activation : std::uint8_t { silu, gelu_tanh, gelu, relu_squared };

/// How a norm scales: x̂·w, x̂·(1 + w) in fp32 (Gemma), or LayerNorm with (w + 1) and a bias.
enum class Norm : std::uint8_t { rms, rms_plus_one, layer_plus_one };

enum class RopeScaling : std::uint8_t { none, linear, dynamic, llama3, yarn };

/// Rotary positions of a layer, every number read from config.json or its class's default.
struct Rope {
    double theta = 10000;
    std::int64_t rotary_dim = 0;  ///< the first dims of a head that turn
    RopeScaling scaling = RopeScaling::none;
    double factor = 1;
    std::int64_t original_length = 0;  ///< positions that the model was first trained on; dynamic:
                                       ///< positions from which it stretches
    double low_freq_factor = 1, high_freq_factor = 4;  ///< llama3
    double beta_fast = 32, beta_slow = 1;              ///< yarn, as the next two
    bool truncate = true;
    double mscale = 0, mscale_all_dim = 0;  ///< yarn; 0: not given
    double attention_factor = 1;  ///< cos and sin are multiplied by it; worked out when read

    bool operator==(const Rope&) const = default;
};

struct Attention {
    std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
    std::optional<std::int64_t> window;  ///< keys that a query sees, itself included; none: all
    Rope rope;

    bool operator==(const Attention&) const = default;
};

struct Mlp {
    std::int64_t width = 0;

    bool operator==(const Mlp&) const = default;
};

/// A block that is absent adds nothing, and has no norm.
struct Layer {
    std::optional<Attention> attention;
    std::optional<Mlp> mlp;

    bool operator==(const Layer&) const = default;
};

// Later families are to add, each beside what is here: experts and their router to a Layer as a
// third kind of feed-forward (Qwen3-MoE, DeepSeek), low-rank q and kv and a value width to
// Attention (DeepSeek), a Mamba mixer as an alternative to it (Nemotron-H). config_file.cpp refuses
// them by name till then.

/// What a loader of the folder computes. Equal configs compute alike; how config.json spells them
/// is ConfigFile's.
struct ModelConfig {
    Family family = Family::llama;
    std::int64_t vocab = 0;  ///< rows of the embedding, often more than the tokenizer has ids
    std::int64_t hidden = 0;
    std::vector<Layer> layers;
    bool tied = false;  ///< the head is the embedding

    Norm norm = Norm::rms;
    double norm_eps = 1e-6;
    Activation activation = Activation::silu;
    bool gated = true;        ///< the MLP has a gate (all but Nemotron's)
    bool four_norms = false;  ///< Gemma 2 and 3 norm each branch's output too
    bool qk_norm = false;     ///< per head, before RoPE
    bool qkv_bias = false, o_bias = false, mlp_bias = false;
    bool scaled_embedding = false;  ///< times sqrt(hidden), rounded to the weights' dtype
    double attention_scale = 0;     ///< of q·k
    // Granite's multipliers.
    double embedding_scale = 1;  ///< of what the first layer reads
    double branch_scale = 1;     ///< of each branch's output, before it is added
    double logit_divisor = 1;    ///< of the head's output
    std::optional<double> attention_cap, final_cap;  ///< c·tanh(x / c)

    std::int64_t max_positions = 0;
    std::string dtype;  ///< "bfloat16", "float16", "float32"; empty: config.json does not say

    bool operator==(const ModelConfig&) const = default;
};

}  // namespace stillroom::lm
