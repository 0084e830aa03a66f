#include "plugins/prune/cut_tensors.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/scratch_folder.h"
#include "plugins/lm/config/new_config.h"
#include "plugins/prune/pruned_folder.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <map>

namespace stillroom::prune {
namespace fs = std::filesystem;
namespace {

lm::ModelConfig tiny() {
    lm::NewModel numbers;
    numbers.family = lm::Family::qwen2;  // it has biases of q, k and v
    numbers.hidden = 8;
    numbers.layers = 3;
    numbers.heads = 4;
    numbers.kv_heads = 2;
    numbers.head_dim = 2;
    numbers.ffn = 6;
    numbers.vocab = 10;
    numbers.tied = true;
    numbers.dtype = "float32";
    return lm::new_model(numbers);
}

/// Element i of tensor t is 1000·t + i: where it came from can be told.
fs::path write_model(const fs::path& folder, const lm::ModelConfig& model) {
    fs::create_directories(folder);
    write_file(folder / "config.json", lm::config_json(model));
    std::vector<lm::NewTensor> tensors;
    int number = 0;
    for (const lm::Weight& weight : lm::weight_table(model)) {
        lm::NewTensor tensor;
        tensor.info.name = weight.name;
        tensor.info.dtype = lm::Dtype::f32;
        tensor.info.shape = weight.shape();
        std::vector<float> values(static_cast<std::size_t>(weight.count()));
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = static_cast<float>(1000 * number) + static_cast<float>(i);
        tensor.make = [values](const lm::WriteBytes& write) {
            write(std::as_bytes(std::span(values)));
        };
        tensors.push_back(std::move(tensor));
        ++number;
    }
    lm::save_model(folder, tensors, {});
    return folder;
}

std::map<std::string, std::vector<float>> made(const std::vector<lm::NewTensor>& tensors) {
    std::map<std::string, std::vector<float>> out;
    for (const lm::NewTensor& tensor : tensors) {
        std::vector<std::byte> bytes;
        auto take = [&](std::span<const std::byte> part) {
            bytes.insert(bytes.end(), part.begin(), part.end());
        };
        tensor.make ? tensor.make(take) : take(tensor.from.bytes());
        std::vector<float>& values = out[tensor.info.name];
        values.resize(bytes.size() / 4);
        std::memcpy(values.data(), bytes.data(), bytes.size());
    }
    return out;
}

}  // namespace

TEST_CASE("a cut takes the rows and columns that stay, under the new number of the layer") {
    ScratchFolder scratch(fs::temp_directory_path() / "prune-cut-");
    lm::ModelConfig model = tiny();
    lm::TensorFolder files = lm::TensorFolder::open(write_model(scratch.path() / "model", model));
    lm::Cut cut;
    cut.hidden = std::vector<std::int64_t>{1, 2, 5, 7};
    cut.layers = {{.layer = 0, .ffn = lm::Keep({0, 3}), .heads = lm::Keep({1, 2})},
                  {.layer = 2, .ffn = lm::Keep({4, 5}), .heads = lm::Keep({0, 3})}};
    auto was = made(cut_tensors(files, model, lm::whole(model), {}));
    auto now = made(cut_tensors(files, model, cut, {}));
    CHECK(now.size() == lm::weight_table(lm::cut_model(model, cut)).size());
    const std::vector<float>& up = was["model.layers.2.mlp.up_proj.weight"];
    std::vector<float> expected;
    for (std::size_t row : {4U, 5U})
        for (std::size_t column : {1U, 2U, 5U, 7U})
            expected.push_back(up[row * 8 + column]);
    CHECK(now["model.layers.1.mlp.up_proj.weight"] == expected);
    const std::vector<float>& o = was["model.layers.2.self_attn.o_proj.weight"];
    expected.clear();
    for (std::size_t row : {1U, 2U, 5U, 7U})
        for (std::size_t column : {0U, 1U, 6U, 7U})
            expected.push_back(o[row * 8 + column]);
    CHECK(now["model.layers.1.self_attn.o_proj.weight"] == expected);
    const std::vector<float>& bias = was["model.layers.0.self_attn.q_proj.bias"];
    CHECK(now["model.layers.0.self_attn.q_proj.bias"] ==
          std::vector<float>{bias[2], bias[3], bias[4], bias[5]});
}

TEST_CASE("a cut to the original shape is the identity") {
    ScratchFolder scratch(fs::temp_directory_path() / "prune-cut-");
    lm::ModelConfig model = tiny();
    lm::TensorFolder files = lm::TensorFolder::open(write_model(scratch.path() / "model", model));
    for (const lm::NewTensor& tensor : cut_tensors(files, model, lm::whole(model), {}))
        CHECK(!tensor.make);  // bytes are copied as they are
}

TEST_CASE("merged heads take in the dropped ones of their group, rank by rank from the last") {
    ScratchFolder scratch(fs::temp_directory_path() / "prune-cut-");
    lm::ModelConfig model = tiny();
    lm::TensorFolder files = lm::TensorFolder::open(write_model(scratch.path() / "model", model));
    Scores scores;
    scores.heads.assign(3, {1, 5, 4, 2});  // groups 0 1 and 2 3
    Orders orders(model, scores);
    lm::Cut cut = orders.cut({.layers = 3, .hidden = 8, .ffn = 6, .heads = 2, .kv_heads = 2}, {});
    Changes changes;
    add_merged_heads(changes, model, cut, scores);
    auto was = made(cut_tensors(files, model, lm::whole(model), {}));
    auto now = made(cut_tensors(files, model, cut, changes));
    auto head = [](const std::vector<float>& values, std::size_t index, std::size_t width) {
        return std::vector<float>(
            values.begin() + static_cast<std::ptrdiff_t>(index * 2 * width),
            values.begin() + static_cast<std::ptrdiff_t>((index + 1) * 2 * width));
    };
    for (const auto& [name, width] : {std::pair{"model.layers.1.self_attn.q_proj.weight", 8U},
                                      {"model.layers.1.self_attn.q_proj.bias", 1U}}) {
        // Heads 1 and 2 stay; with one of two kept, each takes in the other: 2·own - other.
        std::vector<float> own = head(was[name], 1, width), other = head(was[name], 0, width);
        std::vector<float> merged = head(now[name], 0, width);
        for (std::size_t i = 0; i < own.size(); ++i)
            CHECK(merged[i] == 2 * own[i] - other[i]);
        own = head(was[name], 2, width), other = head(was[name], 3, width);
        merged = head(now[name], 1, width);
        for (std::size_t i = 0; i < own.size(); ++i)
            CHECK(merged[i] == 2 * own[i] - other[i]);
    }
}

TEST_CASE("norm weights are scaled by the rms of what stays over that of all") {
    ScratchFolder scratch(fs::temp_directory_path() / "prune-cut-");
    lm::ModelConfig model = tiny();
    lm::TensorFolder files = lm::TensorFolder::open(write_model(scratch.path() / "model", model));
    Scores scores;
    scores.raw.stream = {4, 0, 0, 0, 4, 0, 0, 0};
    auto weights = made(cut_tensors(files, model, lm::whole(model), {}));
    const std::vector<float>& w = weights["model.layers.0.input_layernorm.weight"];
    std::vector<double> seen;  // as if the norm's input were 2 in channel 4 alone, elsewhere 0
    for (std::size_t i = 0; i < 8; ++i)
        seen.push_back(i == 4 ? 4.0 * w[i] * w[i] : 0);
    scores.raw.attention_input.assign(3, std::vector<double>(8, 1));
    scores.raw.attention_input[0] = seen;
    scores.raw.mlp_input.assign(3, std::vector<double>(8, 1));
    lm::Cut cut = lm::whole(model);
    cut.hidden = std::vector<std::int64_t>{4, 5};
    NormFactors factors = norm_factors(model, *cut.hidden, scores, files);
    CHECK(factors.last == doctest::Approx(std::sqrt((4.0 / 2) / (8.0 / 8))));
    CHECK(factors.layers[0].attention == doctest::Approx(std::sqrt((4.0 / 2) / (4.0 / 8))));
    Changes changes;
    add_rescaled_norms(changes, model, cut, factors);
    auto now = made(cut_tensors(files, model, cut, changes));
    CHECK(now["model.layers.0.input_layernorm.weight"][0] ==
          doctest::Approx(w[4] * factors.layers[0].attention));
}

TEST_CASE("the index map says for every axis which index was which") {
    lm::ModelConfig model = tiny();
    Pruned pruned{.before = model, .after = {}, .cut = lm::whole(model), .changes = {}};
    pruned.cut.hidden = std::vector<std::int64_t>{1, 5};
    pruned.cut.layers.erase(pruned.cut.layers.begin());
    pruned.cut.layers[0].heads = std::vector<std::int64_t>{0, 3};
    Json map = Json::parse(index_map_json(pruned));
    CHECK(map.at("hidden").list()[1].integer() == 5);
    CHECK(map.at("layers").list()[0].integer() == 1);
    CHECK(map.at("layers.0.heads").list()[1].integer() == 3);
    CHECK(map.at("layers.1.heads").list().size() == 4);
    CHECK(map.at("layers.0.ffn").list().size() == 6);
}

}  // namespace stillroom::prune
