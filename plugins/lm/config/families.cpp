#include "plugins/lm/config/families.h"

#include <iterator>

namespace stillroom::lm {
namespace {

constexpr FamilyTraits kFamilies[] = {
    {.family = Family::llama,
     .model_type = "llama",
     .architecture = "LlamaForCausalLM",
     .attention_bias_key = true,
     .mlp_bias_key = true,
     .pairs_in_gguf = true,
     .whole_heads = true},
    {.family = Family::mistral,
     .model_type = "mistral",
     .architecture = "MistralForCausalLM",
     .kv_heads = 8,
     .max_positions = 131072,
     .windows = Windows::all,
     .pairs_in_gguf = true},
    {.family = Family::qwen2,
     .model_type = "qwen2",
     .architecture = "Qwen2ForCausalLM",
     .qkv_bias = true,
     .head_dim_key = false,
     .kv_heads = 32,
     .max_positions = 32768,
     .windows = Windows::upper},
    {.family = Family::qwen3,
     .model_type = "qwen3",
     .architecture = "Qwen3ForCausalLM",
     .qk_norm = true,
     .attention_bias_key = true,
     .head_dim = 128,
     .kv_heads = 32,
     .max_positions = 32768,
     .windows = Windows::upper},
    {.family = Family::gemma,
     .model_type = "gemma",
     .architecture = "GemmaForCausalLM",
     .norm = Norm::rms_plus_one,
     .activation = "gelu_pytorch_tanh",
     .attention_bias_key = true,
     .tied = true,
     .scaled_embedding = true,
     .head_dim = 256,
     .kv_heads = 16,
     .max_positions = 8192},
    {.family = Family::gemma2,
     .model_type = "gemma2",
     .architecture = "Gemma2ForCausalLM",
     .norm = Norm::rms_plus_one,
     .activation_key = "hidden_activation",
     .activation = "gelu_pytorch_tanh",
     .four_norms = true,
     .attention_bias_key = true,
     .tied = true,
     .scaled_embedding = true,
     .head_dim = 256,
     .kv_heads = 4,
     .max_positions = 8192,
     .windows = Windows::even,
     .query_scalar = true,
     .attention_cap = 50,
     .final_cap = 30,
     .caps_keys = true,
     .whole_heads = true},
    {.family = Family::gemma3,
     .model_type = "gemma3_text",
     .architecture = "Gemma3ForCausalLM",
     .norm = Norm::rms_plus_one,
     .activation_key = "hidden_activation",
     .activation = "gelu_pytorch_tanh",
     .four_norms = true,
     .qk_norm = true,
     .attention_bias_key = true,
     .tied = true,
     .scaled_embedding = true,
     .head_dim = 256,
     .kv_heads = 4,
     .max_positions = 131072,
     .theta = 1e6,
     .local_theta = 1e4,
     .windows = Windows::patterned,
     .query_scalar = true,
     .caps_keys = true,
     .whole_heads = true},
    {.family = Family::nemotron,
     .model_type = "nemotron",
     .architecture = "NemotronForCausalLM",
     .norm = Norm::layer_plus_one,
     .eps_key = "norm_eps",
     .eps = 1e-5,
     .activation = "relu2",
     .gated = false,
     .attention_bias_key = true,
     .mlp_bias_key = true,
     .max_positions = 4096,
     .partial_rotary = 0.5,
     .partial_rotary_key = true},
    {.family = Family::granite,
     .model_type = "granite",
     .architecture = "GraniteForCausalLM",
     .attention_bias_key = true,
     .mlp_bias_key = true,
     .head_dim_key = false,
     .multipliers = true,
     .pairs_in_gguf = true},
};
static_assert(std::size(kFamilies) == kFamilyCount);

constexpr FamilyTraits qwen2_tower(std::string_view model_type) {
    return {.family = Family::qwen2,
            .model_type = model_type,
            .architecture = "Qwen2ForCausalLM",
            .eps = 1e-5,
            .qkv_bias = true,
            .head_dim_key = false,
            .kv_heads = 8,
            .max_positions = 32768,
            .theta = 1e6,
            .windows = Windows::upper,
            .max_window_layers = 80,
            .mrope = true};
}

constexpr FamilyTraits kTowers[] = {
    qwen2_tower("qwen2_vl_text"),
    qwen2_tower("qwen2_5_vl_text"),
    {.family = Family::qwen3,
     .model_type = "qwen3_vl_text",
     .architecture = "Qwen3ForCausalLM",
     .qk_norm = true,
     .attention_bias_key = true,
     .head_dim = 128,
     .kv_heads = 32,
     .max_positions = 128000,
     .theta = 5e5,
     .mrope = true},
};

constexpr MultimodalClass kMultimodal[] = {
    {"gemma3", "Gemma3ForConditionalGeneration", "gemma3_text"},
    {"mistral3", "Mistral3ForConditionalGeneration", "mistral"},
    {"qwen2_vl", "Qwen2VLForConditionalGeneration", "qwen2_vl_text", true},
    {"qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration", "qwen2_5_vl_text", true},
    {"qwen3_vl", "Qwen3VLForConditionalGeneration", "qwen3_vl_text"},
};

constexpr LaterFamily kLater[] = {
    {"qwen3_moe", "Qwen3MoeForCausalLM"},
    {"deepseek_v2", "DeepseekV2ForCausalLM"},
    {"deepseek_v3", "DeepseekV3ForCausalLM"},
    {"nemotron_h", "NemotronHForCausalLM"},
    {"gpt_oss", "GptOssForCausalLM"},
    {"deci", "DeciLMForCausalLM"},
    {"", "AnyModel"},
};

}  // namespace

std::span<const FamilyTraits> all_families() {
    return kFamilies;
}

const FamilyTraits& traits_of(Family family) {
    return kFamilies[static_cast<int>(family)];
}

std::span<const FamilyTraits> tower_families() {
    return kTowers;
}

std::span<const MultimodalClass> multimodal_classes() {
    return kMultimodal;
}

std::span<const LaterFamily> later_families() {
    return kLater;
}

}  // namespace stillroom::lm
