#include "plugins/lm/config/text_tower.h"

#include "engine/base/error.h"
#include "plugins/lm/config/config_file.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

ConfigFile parse(std::string text) {
    return ConfigFile::parse(std::move(text), "config.json");
}

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

TEST_CASE("the decoder of a multimodal config.json is a config.json of its own") {
    ConfigFile file = parse(R"({
  "architectures": [
    "Gemma3ForConditionalGeneration"
  ],
  "auto_map": {"AutoModel": "modeling.py"},
  "eos_token_id": [1, 106],
  "model_type": "gemma3",
  "text_config": {
    "hidden_size": 64,
    "intermediate_size": 96,
    "model_type": "gemma3_text",
    "num_hidden_layers": 2,
    "rope_scaling": {
      "factor": 8.0,
      "rope_type": "linear"
    },
    "sliding_window": 1024,
    "unknown": 1e-06
  },
  "torch_dtype": "bfloat16",
  "transformers_version": "4.50.0",
  "vision_config": {"hidden_size": 16}
}
)");
    CHECK(file.is_text_tower());
    CHECK(file.hooks() == std::vector<std::string>{"auto_map"});
    CHECK(file.text() == R"({
  "architectures": ["Gemma3ForCausalLM"],
  "eos_token_id": [1, 106],
  "head_dim": 256,
  "hidden_size": 64,
  "intermediate_size": 96,
  "model_type": "gemma3_text",
  "num_attention_heads": 8,
  "num_hidden_layers": 2,
  "num_key_value_heads": 4,
  "rope_scaling": {
    "factor": 8.0,
    "rope_type": "linear"
  },
  "sliding_window": 1024,
  "tie_word_embeddings": true,
  "torch_dtype": "bfloat16",
  "transformers_version": "4.50.0",
  "unknown": 1e-06,
  "vocab_size": 262208
}
)");
    ConfigFile again = parse(file.text());
    CHECK_FALSE(again.is_text_tower());
    CHECK(again.model() == file.model());
}

TEST_CASE("a decoder at the top loses the other towers' keys and positions in three dimensions") {
    ConfigFile file =
        parse(R"({"architectures": ["Qwen2VLForConditionalGeneration"], "model_type": "qwen2_vl", )"
              R"("hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, )"
              R"("num_key_value_heads": 2, "intermediate_size": 96, "vocab_size": 128, )"
              R"("vision_start_token_id": 7, "vision_config": {"depth": 1}, )"
              R"("rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]}})");
    CHECK(file.text() ==
          R"({"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", )"
          R"("hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, )"
          R"("num_key_value_heads": 2, "intermediate_size": 96, "vocab_size": 128, )"
          R"("tie_word_embeddings": false, "rms_norm_eps": 1e-05, )"
          R"("max_position_embeddings": 32768, "max_window_layers": 80, "rope_theta": 1000000.0})");
    CHECK(file.model().family == Family::qwen2);
    CHECK(file.model().layers[0].attention->rope.theta == 1e6);
}

TEST_CASE("a decoder that is not known, or is not there, is refused where it stands") {
    std::string front = R"({"model_type": "mistral3", "text_config": )";
    CHECK(refusal(front + R"({"model_type": "ministral3"}})") ==
          "the decoder of this Mistral3ForConditionalGeneration is a 'ministral3', which is not "
          "supported");
    CHECK(refusal(front + "null}") == "there is no text_config");
    CHECK(refusal(front + R"({"model_type": "mistral"}})") == "there is no hidden_size");
    CHECK(refusal(R"({"model_type": "qwen3_vl", "text_config": {"hidden_size": 64, )"
                  R"("num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 8, )"
                  R"("vocab_size": 8, "num_key_value_heads": 4, "use_sliding_window": true, )"
                  R"("sliding_window": 8, "max_window_layers": 0}})") ==
          "the decoder of this Qwen3VLForConditionalGeneration is no Qwen3ForCausalLM: the "
          "config.json of a qwen3 cannot say the window of layer 0");
    CHECK(refusal(R"({"model_type": "qwen3_vl", "hidden_size": 64})") == "there is no text_config");
    CHECK(refusal(R"({"model_type": "llama", "hidden_size": 64, "vocab_size": 8, )"
                  R"("num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 8, )"
                  R"("rope_scaling": {"type": "mrope"}})") ==
          "RoPE of type 'mrope' is not supported");
}

}  // namespace
}  // namespace stillroom::lm
