#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "engine/base/scratch_folder.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/config/families.h"
#include "plugins/lm/config/new_config.h"
#include "plugins/lm/data/indexed_writer.h"
#include "plugins/lm/modules/load.h"
#include "plugins/prune/kl.h"
#include "plugins/prune/magnitudes.h"
#include "plugins/prune/pass.h"
#include "plugins/prune/pruned_folder.h"
#include "plugins/prune/reordered.h"
#include "plugins/prune/shared_pass.h"
#include "plugins/prune/written_logits.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/log_softmax.h>
#include <c10/core/Allocator.h>
#include <c10/core/InferenceMode.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace stillroom::prune {
namespace fs = std::filesystem;
namespace {

lm::ModelConfig tiny(lm::Family family = lm::Family::qwen3) {
    lm::NewModel numbers;
    numbers.family = family;
    numbers.hidden = 32;
    numbers.layers = 4;
    numbers.heads = 8;
    numbers.kv_heads = 2;
    numbers.head_dim = 8;
    numbers.ffn = 48;
    numbers.vocab = 40;
    numbers.dtype = "float32";
    return lm::new_model(numbers);
}

lm::Shape shape_of_weight(const lm::Weight& weight) {
    lm::Shape out;
    for (const lm::Dim& dim : weight.dims) {
        out.push_back(1);
        for (const lm::AxisSize& part : dim.segments.front())
            out.back() *= part.size;
    }
    return out;
}

fs::path write_model(const fs::path& folder, const lm::ModelConfig& model) {
    make_folders(folder);
    write_file(folder / "config.json", lm::config_json(model));
    std::mt19937 draw(7);
    std::normal_distribution<float> normal(0, 0.3F);
    std::vector<lm::NewTensor> tensors;
    for (const lm::Weight& weight : lm::weight_table(model)) {
        lm::Shape shape = shape_of_weight(weight);
        std::vector<float> values(static_cast<std::size_t>(lm::elements(shape)));
        for (float& value : values)
            value = (weight.dims.size() == 1 ? 1 : 0) + normal(draw);
        lm::NewTensor tensor;
        tensor.info.name = weight.name;
        tensor.info.dtype = lm::Dtype::f32;
        tensor.info.shape = shape;
        tensor.make = [values](const lm::WriteBytes& write) {
            write(std::as_bytes(std::span(values)));
        };
        tensors.push_back(std::move(tensor));
    }
    lm::save_model(folder, tensors, {});
    return folder;
}

/// Scores that put everything in an order of its own.
Scores drawn_scores(const lm::ModelConfig& model) {
    std::mt19937 draw(9);
    std::uniform_real_distribution<float> uniform(0.1F, 1);
    const Shape shape = shape_of(model);
    auto list = [&](std::int64_t size) {
        std::vector<float> out(static_cast<std::size_t>(size));
        for (float& value : out)
            value = uniform(draw);
        return out;
    };
    Scores out;
    out.hidden = list(shape.hidden);
    out.layers = list(shape.layers);
    for (std::int64_t i = 0; i < shape.layers; ++i) {
        out.ffn.push_back(list(shape.ffn));
        out.heads.push_back(list(shape.heads));
    }
    return out;
}

/// LibTorch's memory goes through here while it lives.
struct CountedAllocations final : c10::Allocator {
    c10::Allocator* before = c10::GetAllocator(c10::DeviceType::CPU);
    std::size_t largest = 0;

    CountedAllocations() { c10::SetAllocator(c10::DeviceType::CPU, this); }
    ~CountedAllocations() override { c10::SetAllocator(c10::DeviceType::CPU, before); }
    c10::DataPtr allocate(std::size_t bytes) override {
        largest = std::max(largest, bytes);
        return before->allocate(bytes);
    }
    c10::DeleterFnPtr raw_deleter() const override { return before->raw_deleter(); }
    void copy_data(void* to, const void* from, std::size_t bytes) const override {
        before->copy_data(to, from, bytes);
    }
};

lm::Batch some_batch() {
    at::Tensor ids = at::empty({12}, at::kLong);
    for (std::int64_t i = 0; i < 12; ++i)
        ids.mutable_data_ptr<std::int64_t>()[i] = (i * 7 + 3) % 40;
    return {.ids_T = ids, .lengths = {6, 6}};
}

}  // namespace

TEST_CASE("the loops over activations are their plain twins") {
    std::mt19937 draw(3);
    std::normal_distribution<float> normal;
    for (std::size_t columns : {1U, 7U, 16U, 65U, 300U}) {
        constexpr std::size_t kRows = 130;
        std::vector<float> x(kRows * columns), y(columns);
        for (float& value : x)
            value = normal(draw);
        for (float& value : y)
            value = normal(draw);
        std::vector<float> plain(columns, 0.5F);
        add_magnitudes_plain(x.data(), kRows, columns, columns, plain.data());
        for (Tier tier : {Tier::baseline, lm::best_tier()}) {
            std::vector<float> sums(columns, 0.5F);
            add_magnitudes(tier, x.data(), kRows, columns, columns, sums.data());
            for (std::size_t c = 0; c < columns; ++c)
                CHECK(sums[c] == doctest::Approx(plain[c]).epsilon(1e-6));
            CHECK(cosine(tier, x.data(), y.data(), columns) ==
                  doctest::Approx(cosine_plain(x.data(), y.data(), columns)).epsilon(1e-5));
        }
    }
}

TEST_CASE(
    "candidates are views of one reordered model, and compute what the written cut computes") {
    c10::InferenceMode inference;
    for (lm::Family family :
         {lm::Family::qwen3, lm::Family::qwen2, lm::Family::gemma2, lm::Family::nemotron}) {
        ScratchFolder scratch(fs::temp_directory_path() / "prune-compute-");
        lm::ModelConfig model = tiny(family);
        fs::path folder = write_model(scratch.path() / "model", model);
        Orders orders(model, drawn_scores(model));
        Machine machine;
        Reordered reordered(folder, model, orders, machine);
        const Shape shape{.layers = 3, .hidden = 16, .ffn = 24, .heads = 4, .kv_heads = 2};
        lm::Decoder whole = reordered.candidate(shape_of(model)), cut = reordered.candidate(shape);
        CHECK(cut.embed_tokens.is_alias_of(whole.embed_tokens));
        for (std::size_t i = 0; i < cut.layers.size(); ++i) {
            const lm::LayerWeights &a = cut.layers[i], &b = whole.layers[i];
            CHECK(a.attention->q_proj.weight.is_alias_of(b.attention->q_proj.weight));
            CHECK(a.attention->o_proj.weight.is_alias_of(b.attention->o_proj.weight));
            CHECK(a.mlp->down_proj.weight.is_alias_of(b.mlp->down_proj.weight));
            CHECK(a.mlp->up_proj.weight.sizes() == at::IntArrayRef({24, 16}));
        }
        lm::Cut kept = orders.cut(shape, {});
        lm::TensorFolder files = lm::TensorFolder::open(folder);
        fs::path written = scratch.path() / "cut";
        make_folders(written);
        lm::save_model(written, cut_tensors(files, model, kept, {}), {});
        lm::ConfigFile config = lm::ConfigFile::read(folder / "config.json");
        Depth layers;
        for (const lm::LayerCut& layer : kept.layers)
            layers.push_back(layer.layer);
        config.express(lm::cut_model(model, kept), layers);
        write_file(written / "config.json", config.text());
        lm::Loaded loaded = lm::load_decoder(written, at::kCPU, at::kFloat);
        lm::Batch batch = some_batch();
        at::Tensor wanted = lm::logits(loaded.decoder, lm::hidden_states(loaded.decoder, batch));
        run_depths(cut, batch, {layers}, [&](std::size_t, const at::Tensor& hidden_TD) {
            CHECK(at::allclose(lm::logits(cut, hidden_TD), wanted, 1e-4, 1e-4));
        });
        const Narrowing narrowing{.model = model, .shape = shape};
        LogitsCheck same =
            compare_logits(folder, orders, narrowing, kept, written, batch, at::kCPU);
        CHECK(same.positions == 12);
        CHECK(same.same_best == 12);
        CHECK(same.max <= 1e-4);
        CHECK(same.cosine == doctest::Approx(1));
        CHECK(same.largest == doctest::Approx(wanted.abs().max().item<float>()).epsilon(1e-4));
        std::swap(kept.layers[0].layer, kept.layers[1].layer);  // the candidate of other layers
        LogitsCheck other =
            compare_logits(folder, orders, narrowing, kept, written, batch, at::kCPU);
        CHECK(other.max > 1e-2);
        CHECK(other.cosine < 0.9999);
    }
}

TEST_CASE("a candidate costs no memory: no weight of it is copied, neither made nor run") {
    c10::InferenceMode inference;
    ScratchFolder scratch(fs::temp_directory_path() / "prune-compute-");
    lm::ModelConfig model = tiny(lm::Family::granite);
    fs::path folder = write_model(scratch.path() / "model", model);
    Reordered reordered(folder, model, Orders(model, drawn_scores(model)), Machine());
    const Shape shape{.layers = 3, .hidden = 16, .ffn = 24, .heads = 4, .kv_heads = 2};
    lm::Batch one{.ids_T = some_batch().ids_T.narrow(0, 0, 1), .lengths = {1}};
    CountedAllocations counted;
    lm::Decoder cut = reordered.candidate(shape);
    CHECK(counted.largest == 0);
    run_depths(cut, one, {{0, 1, 3}}, [](std::size_t, const at::Tensor&) {});
    CHECK(counted.largest > 0);
    CHECK(counted.largest <=
          32 * sizeof(float));  // a token's queries; the least weight has 16 · 16
}

TEST_CASE("depths that share a beginning come out as each by itself") {
    c10::InferenceMode inference;
    ScratchFolder scratch(fs::temp_directory_path() / "prune-compute-");
    lm::ModelConfig model = tiny();
    lm::Loaded loaded =
        lm::load_decoder(write_model(scratch.path() / "model", model), at::kCPU, at::kFloat);
    lm::Batch batch = some_batch();
    std::vector<Depth> depths{{0, 1, 2, 3}, {0, 1, 3}, {0, 1, 2}, {1, 2}, {0}, {0, 1, 3}};
    std::vector<at::Tensor> together(depths.size());
    run_depths(loaded.decoder, batch, depths, [&](std::size_t i, const at::Tensor& x) {
        together[i] = x;
    });
    for (std::size_t i = 0; i < depths.size(); ++i)
        run_depths(loaded.decoder, batch, {depths[i]}, [&](std::size_t, const at::Tensor& x) {
            CHECK(at::allclose(x, together[i], 1e-6, 1e-6));
        });
}

TEST_CASE("layers that are taken in one after the other show what all at once show") {
    ScratchFolder scratch(fs::temp_directory_path() / "prune-compute-");
    for (lm::Family family : {lm::Family::qwen3, lm::Family::gemma3}) {
        lm::ModelConfig model = tiny(family);
        fs::path folder = write_model(scratch.path() / lm::traits_of(family).model_type, model);
        fs::path data = scratch.path() / "data";
        remove_tree(data);
        make_folders(data);
        lm::IndexedWriter writer(data / "text_document", lm::TokenType::i32);
        for (std::uint32_t i = 0; i < 7; ++i)
            writer.add_document(std::vector<std::uint32_t>{i, 3 * i % 40, 11, 5, 38 - i});
        writer.close();
        lm::DatasetInfo info;
        info.parts.push_back({.prefix = "text_document",
                              .key = "text",
                              .weight = {},
                              .documents = lm::Count::exactly(7),
                              .tokens = lm::Count::exactly(35)});
        lm::write_dataset_info(data, info);
        lm::Rows rows = lm::Rows::open(data, {.length = 8, .vocabulary = model.vocab});
        REQUIRE(rows.size() == 5);  // the last has three tokens
        PassOptions options;
        options.hooks = {std::begin(kHparams), std::end(kHparams)};
        options.rows = 5;
        options.batch = 2;
        Machine machine;
        RawScores whole = measure(folder, rows, options, machine);
        options.stream = true;
        options.streamed_rows = 3;
        RawScores streamed = measure(folder, rows, options, machine);
        CHECK(whole.tokens == 35);
        CHECK(streamed.tokens == 35);
        for (std::size_t layer = 0; layer < 4; ++layer) {
            CHECK(streamed.layers[layer] == doctest::Approx(whole.layers[layer]));
            for (std::size_t c = 0; c < 48; ++c)
                CHECK(streamed.ffn[layer][c] == doctest::Approx(whole.ffn[layer][c]));
        }
        CHECK(streamed.stream[3] == doctest::Approx(whole.stream[3]));
    }
}

TEST_CASE("kl is that of the whole logits, and nothing to itself") {
    c10::InferenceMode inference;
    ScratchFolder scratch(fs::temp_directory_path() / "prune-compute-");
    lm::ModelConfig model = tiny();
    lm::Loaded loaded =
        lm::load_decoder(write_model(scratch.path() / "model", model), at::kCPU, at::kFloat);
    lm::Batch batch = some_batch();
    at::Tensor all, some;
    run_depths(
        loaded.decoder, batch, {{0, 1, 2, 3}, {0, 3}}, [&](std::size_t i, const at::Tensor& x) {
            (i == 0 ? all : some) = x;
        });
    const lm::Decoder& decoder = loaded.decoder;
    for (double nothing : mean_kl({&decoder, all}, {&decoder, all}, batch.lengths))
        CHECK(std::abs(nothing) < 1e-6);
    at::Tensor p = at::log_softmax(lm::logits(decoder, all), -1, at::kDouble);
    at::Tensor q = at::log_softmax(lm::logits(decoder, some), -1, at::kDouble);
    at::Tensor each_T = (p.exp() * (p - q)).sum(-1);
    std::vector<double> kl = mean_kl({&decoder, all}, {&decoder, some}, batch.lengths);
    REQUIRE(kl.size() == 2);
    for (std::int64_t row = 0; row < 2; ++row)
        CHECK(kl[static_cast<std::size_t>(row)] ==
              doctest::Approx(each_T.narrow(0, 6 * row, 6).mean().item<double>()).epsilon(1e-4));
}

}  // namespace stillroom::prune
