#include "plugins/lm/config/config_file.h"

#include "engine/base/error.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace stillroom::lm {
namespace {

/// A small Llama, with `more` keys in front; what they repeat is left out.
std::string llama(const std::vector<std::pair<std::string, std::string>>& more = {}) {
    std::vector<std::pair<std::string, std::string>> keys = more;
    for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
             {"architectures", "[\"LlamaForCausalLM\"]"},
             {"model_type", "\"llama\""},
             {"hidden_size", "64"},
             {"num_hidden_layers", "3"},
             {"num_attention_heads", "4"},
             {"num_key_value_heads", "2"},
             {"intermediate_size", "96"},
             {"vocab_size", "128"},
             {"rms_norm_eps", "1e-05"},
             {"max_position_embeddings", "4096"}}) {
        bool repeated = false;
        for (const auto& [name, ignored] : more)
            repeated = repeated || name == key;
        if (!repeated)
            keys.emplace_back(key, value);
    }
    std::string out;
    for (const auto& [key, value] : keys)
        if (!value.empty())
            out += fmt::format("{}\n  \"{}\": {}", out.empty() ? "" : ",", key, value);
    return "{" + out + "\n}\n";
}

std::string qwen(std::vector<std::pair<std::string, std::string>> more) {
    more.emplace_back("model_type", "\"qwen3\"");
    more.emplace_back("architectures", "");
    return llama(more);
}

ConfigFile parse(std::string text) {
    return ConfigFile::parse(std::move(text), "config.json");
}

/// What is said of it, "" if nothing. Every refusal of a config is exit 3 and has a place.
std::string refusal(std::string text) {
    try {
        parse(std::move(text));
        return "";
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitBadInput);
        CHECK(error.where().line > 0);
        return error.what();
    }
}

TEST_CASE("a small Llama is read layer by layer") {
    ModelConfig model = parse(llama()).model();
    CHECK(model.family == Family::llama);
    CHECK(model.hidden == 64);
    REQUIRE(model.layers.size() == 3);
    CHECK(model.layers[2].attention->heads == 4);
    CHECK(model.layers[2].attention->kv_heads == 2);
    CHECK(model.layers[2].attention->head_dim == 16);
    CHECK(model.layers[2].mlp->width == 96);
    CHECK(model.norm_eps == 1e-5);
    CHECK(model.attention_scale == 0.25);
    CHECK_FALSE(model.tied);
    CHECK(model.layers[0].attention->rope.theta == 1e4);
}

TEST_CASE("M11: a key that is missing, of another type or out of bounds is named, with its place") {
    CHECK(refusal(llama({{"hidden_size", ""}})) == "there is no hidden_size");
    CHECK(refusal(llama({{"num_attention_heads", "0"}})) ==
          "num_attention_heads is 0: it must be a whole number from 1 to 65536");
    CHECK(refusal(llama({{"hidden_size", "\"4096\""}})) ==
          "hidden_size is \"4096\": it must be a whole number from 1 to 1048576");
    CHECK(refusal(llama({{"hidden_size", "64.0"}})).starts_with("hidden_size is 64.0: "));
    CHECK(refusal(llama({{"hidden_size", "-64"}})).starts_with("hidden_size is -64: "));
    CHECK(refusal(llama({{"num_hidden_layers", "1000000000"}})) ==
          "num_hidden_layers is 1000000000: it must be a whole number from 1 to 4096");
    CHECK(refusal(llama({{"num_hidden_layers", "1e9"}})).starts_with("num_hidden_layers is 1e9"));
    CHECK(refusal(llama({{"vocab_size", "99999999999999999999"}})).starts_with("vocab_size is 99"));
    CHECK(refusal(llama({{"hidden_size", "[1, 2]"}})).starts_with("hidden_size is a list"));
    CHECK(refusal(llama({{"rms_norm_eps", "NaN"}})) ==
          "rms_norm_eps is NaN: it must be a finite number over 0");
    CHECK(refusal(llama({{"tie_word_embeddings", "1"}})) ==
          "tie_word_embeddings is 1: it must be true or false");
    CHECK(refusal(llama({{"num_key_value_heads", "3"}})) ==
          "4 heads are no multiple of 3 KV heads");
    CHECK(refusal(llama({{"head_dim", "16777216"}})).starts_with("4 heads of 16777216 dims"));
    CHECK(refusal(llama({{"num_attention_heads", "128"}, {"num_key_value_heads", "128"}}))
              .starts_with("128 heads of 0 dims on 64 channels"));
    CHECK(refusal("{") == "no JSON: expected a key in quotes");
}

TEST_CASE("M11: what is not supported is refused by name, and what is, is listed") {
    try {
        parse(llama({{"architectures", "[\"Foo\"]"}}));
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.what() == std::string("architecture 'Foo' is not supported"));
        CHECK(
            error.hint_text() ==
            "supported are LlamaForCausalLM (llama), MistralForCausalLM (mistral), "
            "Qwen2ForCausalLM (qwen2), Qwen3ForCausalLM (qwen3), GemmaForCausalLM (gemma), "
            "Gemma2ForCausalLM (gemma2), Gemma3ForCausalLM (gemma3_text), NemotronForCausalLM "
            "(nemotron) and GraniteForCausalLM (granite); and the decoders of "
            "Gemma3ForConditionalGeneration (gemma3), Mistral3ForConditionalGeneration (mistral3), "
            "Qwen2VLForConditionalGeneration (qwen2_vl), Qwen2_5_VLForConditionalGeneration "
            "(qwen2_5_vl) and Qwen3VLForConditionalGeneration (qwen3_vl)");
        CHECK(error.where().line == 2);
        CHECK(error.where().column == 21);
    }
    CHECK(refusal(llama({{"architectures", "[\"Qwen3MoeForCausalLM\"]"}})) ==
          "architecture 'Qwen3MoeForCausalLM' is known, but not yet supported");
    CHECK(refusal(llama({{"architectures", ""}, {"model_type", "\"deepseek_v3\""}})) ==
          "model_type 'deepseek_v3' is known, but not yet supported");
    CHECK(refusal(llama({{"architectures", ""}, {"model_type", ""}})) ==
          "there is no architectures");
    CHECK(refusal(llama({{"model_type", "\"qwen2\""}})) ==
          "model_type is 'qwen2', but the architecture LlamaForCausalLM is of 'llama'");
    CHECK(refusal(llama({{"hidden_act", "\"mish\""}})) == "hidden_act 'mish' is not supported");
    CHECK(refusal(llama({{"quantization_config", "{\"quant_method\": \"fp8\"}"}})) ==
          "the weights are quantized (fp8)");
    CHECK(refusal(llama({{"torch_dtype", "\"float8_e4m3fn\""}})) ==
          "torch_dtype 'float8_e4m3fn' is not supported");
    CHECK(refusal(llama({{"torch_dtype", "\"float16\""}, {"dtype", "\"bfloat16\""}})) ==
          "torch_dtype is 'float16', elsewhere it is 'bfloat16'");
    CHECK(
        refusal(llama({{"block_configs", "[1]"}})).starts_with("block_configs: layers of unequal"));
    CHECK(refusal(llama({{"text_config", "{}"}})) == "LlamaForCausalLM has no text_config");
    CHECK(refusal("{\"architectures\": [\"\\u001b[2J\"]}").find('\x1b') == std::string::npos);
}

TEST_CASE("a RoPE that is not wholly understood is refused by name") {
    auto scaled = [](std::string map) { return llama({{"rope_scaling", map}}); };
    CHECK(refusal(scaled(R"({"rope_type": "longrope", "factor": 4.0})")) ==
          "RoPE of type 'longrope' is not supported");
    CHECK(refusal(scaled(R"({"type": "proportional"})")) ==
          "RoPE of type 'proportional' is not supported");
    CHECK(refusal(scaled(R"({"rope_type": "linear"})")) == "there is no factor");
    CHECK(refusal(scaled(R"({"rope_type": "linear", "factor": 0})")) ==
          "factor is 0: it must be a finite number over 0");
    CHECK(refusal(scaled(R"({"rope_type": "yarn", "factor": 4.0, "mrope_section": [1]})")) ==
          "'mrope_section' in the map of RoPE is not understood");
    CHECK(refusal(scaled(R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0})")) ==
          "there is no high_freq_factor");
    CHECK(refusal(scaled(R"({"rope_type": "linear", "type": "yarn", "factor": 8.0})")) ==
          "rope_type is 'linear', type is 'yarn'");
    CHECK(refusal(scaled("8")) == "rope_scaling is 8: it must be a map");
    CHECK(refusal(llama({{"partial_rotary_factor", "0.5"}})) ==
          "partial_rotary_factor is 0.5: a llama turns whole heads");
    CHECK(refusal(llama({{"rope_parameters", R"({"full_attention": {"rope_theta": 1.0}})"}}))
              .starts_with("rope_parameters holds a map for each type of layer"));
}

TEST_CASE("two spellings of RoPE that agree are one, two that disagree are refused") {
    std::string scaling = R"({"type": "linear", "factor": 2.0})";
    std::string parameters = R"({"rope_type": "linear", "factor": 2, "rope_theta": 10000.0})";
    CHECK(refusal(llama({{"rope_scaling", scaling}, {"rope_parameters", parameters}})).empty());
    CHECK(refusal(llama({{"rope_scaling", R"({"type": "linear", "factor": 3.0})"},
                         {"rope_parameters", parameters}})) ==
          "rope_parameters and rope_scaling disagree");
    CHECK(refusal(llama({{"rope_theta", "5"}, {"rope_parameters", parameters}})) ==
          "rope_theta is 5, rope_theta in the map of RoPE is 10000");
}

TEST_CASE("a window without a size, or one that the class does not read, is refused") {
    std::string types = R"(["full_attention", "sliding_attention", "full_attention"])";
    CHECK(refusal(qwen({{"layer_types", types}})) ==
          "layer 1 has a window, but its size is off (sliding_window, use_sliding_window)");
    CHECK(
        refusal(
            qwen({{"layer_types", types}, {"use_sliding_window", "true"}, {"sliding_window", "7"}}))
            .empty());
    CHECK(refusal(llama({{"layer_types", types}})).starts_with("layer_types says another window"));
    CHECK(refusal(qwen({{"layer_types", "[\"full_attention\"]"}})) ==
          "layer_types is 1 type, num_hidden_layers is 3");
    CHECK(refusal(qwen({{"layer_types", R"(["mamba", "attention", "attention"])"}})) ==
          "layers of type 'mamba' are not supported");
}

TEST_CASE("a config.json that is not there, or no file, is a bad input by its path") {
    for (const char* path : {"/nowhere/config.json", "/", "/dev/null"}) {
        try {
            ConfigFile::read(path);
            FAIL("accepted");
        } catch (const Error& error) {
            CHECK(error.exit_code() == kExitBadInput);
            CHECK(std::string(error.what()).find(path) != std::string::npos);
        }
    }
}

TEST_CASE("M12: hooks are listed, and go without a trace") {
    ConfigFile file = parse(llama({{"auto_map", R"({"AutoModel": "evil.Model"})"},
                                   {"custom_pipelines", "{}"},
                                   {"quirk", R"({"trust_remote_code": true, "kept": 1e-06})"}}));
    CHECK(file.hooks() ==
          std::vector<std::string>{"auto_map", "custom_pipelines", "quirk.trust_remote_code"});
    file.drop_hooks();
    CHECK(file.hooks().empty());
    CHECK(file.text() == llama({{"quirk", R"({"kept": 1e-06})"}}));
}

}  // namespace
}  // namespace stillroom::lm
