#include "plugins/prune/request.h"

#include "plugins/prune/layout_of.h"
#include "plugins/prune/task.h"
#include "tests/plugins/prune/models.h"

#include <doctest/doctest.h>

namespace stillroom::prune {
namespace {

MinitronSettings settings(const char* json) {
    return settings_of<MinitronSettings>(json);
}

std::string manual_refusal(const char* json, const lm::ModelConfig& model = qwen3_8b()) {
    try {
        manual_request(settings(json), model);
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitUsage);
        std::string out = error.setting() + ": " + error.what() + " | " + error.hint_text();
        for (const Error::Note& note : error.notes())
            out += " + " + note.text;
        return out;
    }
    return "";
}

std::string search_refusal(const char* json, const lm::ModelConfig& model = qwen3_8b()) {
    try {
        MinitronSettings read = settings(json);
        candidates_of(read, search_for(read, model));
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitUsage);
        return error.setting() + ": " + error.what() + " | " + error.hint_text();
    }
    return "";
}

}  // namespace

TEST_CASE("a size that is no choice is told with its neighbours") {
    CHECK(manual_refusal(R"({"shape": {"hidden_size": 3600}})") ==
          "shape.hidden_size: hidden_size 3600: a multiple of 64 up to 4096 | nearest: 3584 and "
          "3648");
    CHECK(manual_refusal(R"({"shape": {"hidden_size": 5000}})") ==
          "shape.hidden_size: hidden_size 5000: a multiple of 64 up to 4096 | nearest: 4096");
    CHECK(manual_refusal(R"({"shape": {"num_attention_heads": 20}})") ==
          "shape.num_attention_heads: num_attention_heads 20: a multiple of 8 up to 32 | nearest: "
          "16 and 24");
    CHECK(manual_refusal(R"({"shape": {"hidden_size": 3600}, "divisors": {"hidden_size": 100}})") ==
          "");
    CHECK(manual_refusal(R"({"shape": {"hidden_size": 4096, "num_layers": 36}})") == "");
}

TEST_CASE("every mistake is told at once") {
    std::string all = manual_refusal(
        R"({"shape": {"hidden_size": 3600, "num_layers": 40, "moe_ffn_hidden_size": 4}})");
    CHECK(all.find("moe_ffn_hidden_size is not in this model") != std::string::npos);
    CHECK(all.find("hidden_size 3600") != std::string::npos);
    CHECK(all.find("num_layers 40: a multiple of 1 up to 36") != std::string::npos);
}

TEST_CASE("KV heads stay unless groups are to go") {
    CHECK(manual_refusal(R"({"shape": {"num_query_groups": 4}})") ==
          "shape.num_query_groups: num_query_groups 4: the KV heads stay 8 | kv_groups=prune drops "
          "whole groups");
    CHECK(manual_refusal(R"({"shape": {"num_query_groups": 8}})") == "");
    auto shape = [](const char* json) { return manual_request(settings(json), qwen3_8b()).shape; };
    Shape four = shape(R"({"shape": {"num_query_groups": 4}, "kv_groups": "prune"})");
    CHECK(four.kv_heads == 4);
    CHECK(four.heads == 16);
    Shape heads = shape(R"({"shape": {"num_attention_heads": 16}, "kv_groups": "prune"})");
    CHECK(heads.kv_heads == 4);
    Shape both = shape(
        R"({"shape": {"num_attention_heads": 8, "num_query_groups": 4}, "kv_groups": "prune"})");
    CHECK(both.heads == 8);
    CHECK(
        manual_refusal(
            R"({"shape": {"num_attention_heads": 24, "num_query_groups": 4}, "kv_groups": "prune"})")
            .find("4 KV heads take a multiple of 4 up to 16") != std::string::npos);
}

TEST_CASE("layers are named from 0, and agree with their number") {
    CHECK(manual_refusal(R"({"shape": {"layers": [0, 36]}})") ==
          "shape.layers[1]: layer 36: the 36 layers count from 0 to 35 | ");
    CHECK(manual_refusal(R"({"shape": {"layers": [0, 1], "num_layers": 3}})")
              .find("2 layers are listed") != std::string::npos);
    ManualRequest request =
        manual_request(settings(R"({"shape": {"layers": [3, 0, 7]}})"), qwen3_8b());
    CHECK(*request.layers == std::vector<std::int64_t>{0, 3, 7});
    CHECK(request.shape.layers == 3);
}

TEST_CASE("R20: a width that transformers refuses of a Llama is told with what is near") {
    std::string refusal = manual_refusal(R"({"shape": {"hidden_size": 512}})", smollm2());
    CHECK(refusal.find(
              "hidden_size 512 is no multiple of 9 heads, and transformers refuses such a llama") !=
          std::string::npos);
    CHECK(refusal.find("nearest:") != std::string::npos);
    CHECK(manual_refusal(R"({"shape": {"hidden_size": 3328, "num_attention_heads": 24}})") == "");
}

TEST_CASE("a target that nothing reaches says what can be reached") {
    CHECK(search_refusal(R"({"target": {"params": 1e9}})") ==
          "target.params: no candidate of 560 meets the target of 1,000,000,000 parameters: the "
          "smallest reach "
          "params 3,176,693,760 | a larger target, or larger max_width_pruning (0.4) and "
          "max_depth_pruning (0.2), "
          "or smaller divisors");
    CHECK(search_refusal(R"({"target": {"memory_mib": 100}})")
              .starts_with("target.memory_mib: no candidate"));
}

TEST_CASE("a target that the model meets already is told") {
    CHECK(search_refusal(R"({"target": {"params": 9e9}})") ==
          "target.params: the model meets the target already: it has params 8,190,735,360, the "
          "target is "
          "9,000,000,000 parameters | a target below that, or leave the stage out");
}

TEST_CASE("a search with nothing to choose is told") {
    CHECK(search_refusal(R"({"target": {"params": 6e9},
        "skip": ["hidden_size", "ffn_hidden_size", "num_attention_heads", "num_layers"]})")
              .starts_with("skip: nothing is left to search"));
    CHECK(search_refusal(R"({"target": {"params": 6e9}, "skip": ["num_moe_experts"]})") ==
          "skip[0]: num_moe_experts is not in this model | it has num_layers, hidden_size, "
          "ffn_hidden_size and "
          "num_attention_heads");
    CHECK(search_refusal(R"({"target": {"params": 6e9}, "tolerance": 1e-9})")
              .starts_with("tolerance: no candidate is within"));
    CHECK(search_refusal(R"({"target": {"params": 6e9}, "divisors": {"num_attention_heads": 3}})")
              .starts_with(
                  "divisors.num_attention_heads: num_attention_heads goes by 3: no multiple of 8"));
}

TEST_CASE("a search of which every candidate is refused says why") {
    CHECK(search_refusal(R"({"target": {"params": 1.3e8}, "divisors": {"hidden_size": 250},
        "skip": ["num_attention_heads", "num_layers", "ffn_hidden_size"]})",
                         smollm2())
              .find("transformers refuses all of them") != std::string::npos);
}

TEST_CASE("mmlu is the judge where there are questions, else kl") {
    CHECK(tasks_of(settings(R"({"target": {"params": 1}})")).front().task == Task::kl);
    CHECK(tasks_of(settings(R"({"target": {"params": 1}, "questions": "mmlu"})")).front().task ==
          Task::mmlu);
    std::vector<WeightedTask> both = tasks_of(settings(
        R"({"target": {"params": 1}, "score": {"task": [{"task": "loss"}, {"task": "kl", "weight": 2}]}})"));
    REQUIRE(both.size() == 2);
    CHECK(both[1].weight == 2);
}

TEST_CASE("pipeline stages that do not come out are told") {
    auto refusal = [](const char* json) {
        try {
            checked_layout(wish_of(settings(json).parallel), 4, qwen3_8b(), "parallel");
        } catch (const Error& error) {
            return error.setting() + ": " + error.what();
        }
        return std::string();
    };
    CHECK(refusal(R"({"shape": {"num_layers": 30}, "parallel": {"pipeline": 4,
        "num_layers_in_first_pipeline_stage": 8, "num_layers_in_last_pipeline_stage": 8}})") == "");
    CHECK(refusal(R"({"shape": {"num_layers": 30}, "parallel": {"pipeline": 4,
        "num_layers_in_first_pipeline_stage": 7, "num_layers_in_last_pipeline_stage": 8}})")
              .find("pipeline 4: 36 layers - first 7 - last 8 = 21 do not divide over 2 middle "
                    "stages") != std::string::npos);
    CHECK(refusal(R"({"shape": {"num_layers": 30}, "parallel": {"pipeline": 3}})") ==
          "parallel.tensor: ranks 4 is not a multiple of tensor 1 x pipeline 3 = 3");
}

}  // namespace stillroom::prune
