#pragma once

#include "plugins/lm/config/model_config.h"

#include <span>
#include <string_view>

namespace stillroom::lm {

// A family as data: what its config class in transformers assumes where config.json is silent, and
// which keys it has. Readers and writers ask this table, never the family's name.

enum class Windows : std::uint8_t {
    none,
    all,       ///< Mistral: sliding_window holds for every layer
    upper,     ///< Qwen: layers from max_window_layers, if use_sliding_window
    even,      ///< Gemma 2: layers 0, 2, ...
    patterned  ///< Gemma 3: all but each sliding_window_pattern-th
};

struct FamilyTraits {
    Family family;
    std::string_view model_type, architecture;
    Norm norm = Norm::rms;
    std::string_view eps_key = "rms_norm_eps";
    double eps = 1e-6;
    std::string_view activation_key = "hidden_act", activation = "silu";
    bool gated = true, four_norms = false, qk_norm = false;
    bool qkv_bias = false;  ///< always, with no key that says so
    bool attention_bias_key = false, mlp_bias_key = false;
    bool tied = false, scaled_embedding = false;
    bool head_dim_key = true;   ///< the class declares head_dim
    std::int64_t head_dim = 0;  ///< 0: hidden / heads
    std::int64_t kv_heads = 0;  ///< 0: as many as heads
    std::int64_t max_positions = 2048;
    double theta = 10000, local_theta = 0;  ///< local_theta: layers with a window turn by it
    double partial_rotary = 1;
    bool partial_rotary_key = false;
    Windows windows = Windows::none;
    std::int64_t window = 4096;
    std::int64_t max_window_layers = 28;      ///< Windows::upper
    bool query_scalar = false;                ///< query_pre_attn_scalar, 256
    double attention_cap = 0, final_cap = 0;  ///< 0: none
    bool caps_keys = false;
    bool multipliers = false;    ///< keys that scale embeddings, q·k, branches and logits, each 1
    bool pairs_in_gguf = false;  ///< rows of q and k stand there as RoPE turns neighbours
    bool whole_heads = false;    ///< transformers 5 refuses hidden % heads != 0
    bool mrope = false;  ///< positions in time, height, width: of text all one, which is RoPE
};

STILLROOM_API std::span<const FamilyTraits> all_families();
STILLROOM_API const FamilyTraits& traits_of(Family family);

/// Decoders of multimodal models by the model_type of their text_config. They compute what
/// traits_of(family) does, but assume other numbers where they are silent.
std::span<const FamilyTraits> tower_families();

/// A class that holds a decoder beside other towers (vision), which are left out.
struct MultimodalClass {
    std::string_view model_type, architecture;
    std::string_view text_type;  ///< of a text_config that does not say its model_type
    bool flat = false;           ///< older files have the decoder's keys at the top
};
std::span<const MultimodalClass> multimodal_classes();

/// Known by name, and refused till their tables are written.
struct LaterFamily {
    std::string_view model_type, architecture;
};
std::span<const LaterFamily> later_families();

}  // namespace stillroom::lm
