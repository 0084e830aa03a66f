#include "plugins/lm/weights/strict_check.h"

#include "engine/base/error.h"
#include "plugins/lm/config/new_config.h"
#include "tests/engine/temporary_folder.h"
#include "tests/plugins/lm/weights/tensor_text.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace stillroom::lm {
namespace {

ModelConfig small(bool tied = false) {
    return new_model({.family = Family::qwen2,
                      .hidden = 8,
                      .layers = 2,
                      .heads = 4,
                      .kv_heads = 2,
                      .head_dim = 4,
                      .ffn = 16,
                      .vocab = 32,
                      .tied = tied});
}

std::vector<FoundTensor> all_of(const ModelConfig& model) {
    std::vector<FoundTensor> out;
    for (const Weight& weight : weight_table(model))
        out.push_back({"m/a.safetensors", weight.name, Dtype::bf16, weight.shape()});
    return out;
}

FoundTensor& named(std::vector<FoundTensor>& found, std::string_view name) {
    for (FoundTensor& tensor : found)
        if (tensor.name == name)
            return tensor;
    throw Error({}, std::string(name));
}

StrictReport check(const ModelConfig& model, const std::vector<FoundTensor>& found) {
    return strict_check(model, weight_table(model), found, "m/config.json");
}

std::string refusal(const ModelConfig& model, const std::vector<FoundTensor>& found) {
    try {
        check(model, found);
        return "";
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitBadInput);
        return error.what();
    }
}

TEST_CASE("a folder that is just the model passes") {
    CHECK(refusal(small(), all_of(small())).empty());
    CHECK(refusal(small(true), all_of(small(true))).empty());
}

TEST_CASE("M10: a tensor of another shape is named with the key that expects it") {
    std::vector<FoundTensor> found = all_of(small());
    named(found, "model.layers.1.mlp.gate_proj.weight").shape = {15, 8};
    CHECK(refusal(small(), found) ==
          "m/a.safetensors: model.layers.1.mlp.gate_proj.weight is [15, 8], config.json expects "
          "[16, 8]: intermediate_size 16");
    found = all_of(small());
    named(found, "model.layers.0.self_attn.q_proj.bias").shape = {8};
    CHECK(refusal(small(), found) ==
          "m/a.safetensors: model.layers.0.self_attn.q_proj.bias is [8], config.json expects [16]: "
          "num_attention_heads 4, head_dim 4");
    found = all_of(small());
    named(found, "model.norm.weight").shape = {8, 1};
    CHECK(refusal(small(), found).ends_with("is [8, 1], config.json expects [8]: hidden_size 8"));
}

TEST_CASE("M10: a weight is a float of 16 or 32 bits") {
    std::vector<FoundTensor> found = all_of(small());
    named(found, "model.norm.weight").dtype = Dtype::i64;
    CHECK(refusal(small(), found) ==
          "m/a.safetensors: model.norm.weight is I64: a weight is F32, BF16 or F16");
    named(found, "model.norm.weight").dtype = Dtype::f8_e4m3;
    CHECK(refusal(small(), found).find("is F8_E4M3") != std::string::npos);
    named(found, "model.norm.weight").dtype = Dtype::f32;
    CHECK(refusal(small(), found).empty());
}

TEST_CASE("nothing may be missing, left over or there twice") {
    std::vector<FoundTensor> found = all_of(small());
    found.erase(found.begin() + 3);
    CHECK(refusal(small(), found) ==
          "m: model.layers.0.self_attn.q_proj.bias is missing: config.json expects [16]");
    found = all_of(small());
    found.push_back({"m/b.safetensors", "model.layers.0.self_attn.o_proj.bias", Dtype::f32, {8}});
    CHECK(refusal(small(), found) ==
          "m/b.safetensors: model.layers.0.self_attn.o_proj.bias [8] is no part of a qwen2 of 2 "
          "layers with these keys");
    found = all_of(small());
    found.push_back({"m/b.safetensors", "model.layers.2.input_layernorm.weight", Dtype::f32, {8}});
    CHECK(refusal(small(), found).starts_with("m/b.safetensors: model.layers.2."));
    found = all_of(small());
    found.push_back({"m/b.safetensors", "model.norm.weight", Dtype::f32, {8}});
    CHECK(refusal(small(), found) ==
          "m/b.safetensors: model.norm.weight stands in m/a.safetensors too");
    found = all_of(small());
    found[0].name = "model.embed_tokens.\x1b[2J";
    CHECK(refusal(small(), found).find('\x1b') == std::string::npos);
}

TEST_CASE("a head is there if and only if it is not the embedding") {
    std::vector<FoundTensor> found = all_of(small(true));
    CHECK(refusal(small(false), found) ==
          "m: lm_head.weight is missing: tie_word_embeddings is false");
    found = all_of(small(false));
    CHECK(check(small(true), found).has_tied_head);
    named(found, "lm_head.weight").shape = {33, 8};
    CHECK(refusal(small(true), found) ==
          "m/a.safetensors: lm_head.weight is [33, 8]: the head of a tied model is its embedding, "
          "[32, 8]");
}

/// A file of the table's tensors in bf16, each filled with its byte, and a head filled with `head`.
std::string file_of(const WeightTable& table, char head) {
    std::string header = "{", data;
    auto add = [&](std::string_view name, const Shape& shape, char byte) {
        std::size_t begin = data.size();
        data.append(static_cast<std::size_t>(2 * elements(shape)), byte);
        header += fmt::format(R"({}"{}":{{"dtype":"BF16","shape":{},"data_offsets":[{},{}]}})",
                              begin == 0 ? "" : ",",
                              name,
                              to_string(shape),
                              begin,
                              data.size());
    };
    for (const Weight& weight : table)
        add(weight.name, weight.shape(), 'e');
    add("lm_head.weight", {32, 8}, head);
    header += "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    return safetensors_text(header, data);
}

TEST_CASE("a head in a tied folder is its embedding byte for byte, or refused") {
    TemporaryFolder folder;
    ModelConfig model = small(true);
    WeightTable table = weight_table(model);
    folder.write("model.safetensors", file_of(table, 'e'));
    TensorFolder same = TensorFolder::open(folder.path());
    CHECK(strict_check(model, table, same).has_tied_head);
    check_tied_head(same);
    folder.write("model.safetensors", file_of(table, 'f'));
    TensorFolder other = TensorFolder::open(folder.path());
    CHECK(strict_check(model, table, other).has_tied_head);
    std::string said;
    try {
        check_tied_head(other);
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitBadInput);
        said = error.what();
    }
    CHECK(said.ends_with("lm_head.weight is not the embedding, but tie_word_embeddings is true"));
}

TEST_CASE("what models carry besides is passed over, and said") {
    std::vector<FoundTensor> found = all_of(small());
    found.push_back({"m/b.safetensors", "mtp.layers.0.norm.weight", Dtype::f32, {8}});
    found.push_back(
        {"m/b.safetensors", "model.layers.0.self_attn.rotary_emb.inv_freq", Dtype::f32, {2}});
    CHECK(check(small(), found).ignored ==
          std::vector<std::string>{"mtp.layers.0.norm.weight",
                                   "model.layers.0.self_attn.rotary_emb.inv_freq"});
    found = all_of(small());
    found.push_back({"m/b.safetensors", "vision_tower.patch.weight", Dtype::f32, {8}});
    CHECK_FALSE(refusal(small(), found).empty());
}

}  // namespace
}  // namespace stillroom::lm
