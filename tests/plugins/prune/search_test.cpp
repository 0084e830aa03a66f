#include "plugins/prune/search.h"

#include "plugins/lm/weights/counts.h"
#include "tests/plugins/prune/models.h"

#include <doctest/doctest.h>

#include <chrono>

namespace stillroom::prune {
namespace {

SearchOptions under(std::int64_t params) {
    SearchOptions out;
    out.bounds.params = params;
    return out;
}

std::int64_t params_of(const Sizes& sizes) {
    lm::ModelConfig model = model_of(sizes);
    return ShapeCounter(model).count(shape_of(model)).params;
}

}  // namespace

TEST_CASE("the closed form counts what the weight table lists") {
    for (const char* type : {"llama", "qwen2", "qwen3", "gemma2", "nemotron"}) {
        CAPTURE(type);
        std::string text = fmt::format(
            R"({{"architectures": ["X"], "model_type": "{}", "hidden_size": 64, "intermediate_size": 96,
  "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
  "vocab_size": 50, "max_position_embeddings": 64}})",
            type);
        std::string name = std::string(type) == "llama"    ? "LlamaForCausalLM"
                           : std::string(type) == "qwen2"  ? "Qwen2ForCausalLM"
                           : std::string(type) == "qwen3"  ? "Qwen3ForCausalLM"
                           : std::string(type) == "gemma2" ? "Gemma2ForCausalLM"
                                                           : "NemotronForCausalLM";
        text.replace(text.find("\"X\""), 3, "\"" + name + "\"");
        lm::ModelConfig model = lm::ConfigFile::parse(text, "config.json").model();
        ShapeCounter counter(model);
        for (const Shape& shape :
             {Shape{3, 64, 96, 4, 2}, Shape{2, 48, 80, 2, 2}, Shape{1, 32, 8, 1, 1}})
            CHECK(counter.count(shape).params ==
                  lm::count(lm::weight_table(shaped(model, shape))).total);
    }
}

TEST_CASE("whole models have the published numbers of parameters") {
    Sizes sizes = qwen3_8b_sizes();
    CHECK(params_of(sizes) == 8'190'735'360);
    sizes.layers = 30, sizes.hidden = 3584, sizes.ffn = 11776;
    CHECK(params_of(sizes) == 5'988'774'912);
    sizes.layers = 32, sizes.hidden = 3840, sizes.ffn = 12288;
    CHECK(params_of(sizes) == 6'955'265'792);
    sizes.layers = 24, sizes.hidden = 4096;
    CHECK(params_of(sizes) == 5'875'378'176);
    CHECK(params_of({.layers = 28,
                     .hidden = 1024,
                     .ffn = 3072,
                     .heads = 16,
                     .kv_heads = 8,
                     .head_dim = 128,
                     .vocab = 151936,
                     .tied = true}) == 596'049'920);
    CHECK(params_of({.layers = 36,
                     .hidden = 2560,
                     .ffn = 9728,
                     .heads = 32,
                     .kv_heads = 8,
                     .head_dim = 128,
                     .vocab = 151936,
                     .tied = true}) == 4'022'468'096);
    CHECK(params_of({.layers = 40,
                     .hidden = 5120,
                     .ffn = 17408,
                     .heads = 40,
                     .kv_heads = 8,
                     .head_dim = 128,
                     .vocab = 151936}) == 14'768'307'200);
    CHECK(params_of({.layers = 64,
                     .hidden = 5120,
                     .ffn = 25600,
                     .heads = 64,
                     .kv_heads = 8,
                     .head_dim = 128,
                     .vocab = 151936}) == 32'762'123'264);
    CHECK(params_of({.type = "llama",
                     .architecture = "LlamaForCausalLM",
                     .layers = 16,
                     .hidden = 2048,
                     .ffn = 8192,
                     .heads = 32,
                     .kv_heads = 8,
                     .head_dim = 64,
                     .vocab = 128256,
                     .tied = true}) == 1'235'814'400);
    CHECK(params_of({.type = "qwen2",
                     .architecture = "Qwen2ForCausalLM",
                     .layers = 24,
                     .hidden = 896,
                     .ffn = 4864,
                     .heads = 14,
                     .kv_heads = 2,
                     .head_dim = 64,
                     .vocab = 151936,
                     .tied = true}) == 494'032'768);
    CHECK(params_of({.type = "qwen2",
                     .architecture = "Qwen2ForCausalLM",
                     .layers = 28,
                     .hidden = 3584,
                     .ffn = 18944,
                     .heads = 28,
                     .kv_heads = 4,
                     .head_dim = 128,
                     .vocab = 152064}) == 7'615'616'512);
}

TEST_CASE("memory is weights and KV cache of the serving case") {
    lm::ModelConfig model = qwen3_8b();
    Metrics metrics = ShapeCounter(model).count(shape_of(model));
    CHECK(metrics.weights_mib == doctest::Approx(15622.6).epsilon(1e-5));
    CHECK(metrics.kv_mib == 576);
    CHECK(metrics.memory_mib() == doctest::Approx(16198.6).epsilon(1e-5));
    Serving other{.batch = 2, .sequence = 8192, .kv_bytes = 1, .weight_bytes = 1};
    CHECK(ShapeCounter(model, other).count(shape_of(model)).kv_mib == 1152);
}

TEST_CASE("Qwen3-8B at 6e9: 560 shapes, 416 fit, the first five as published") {
    Found found = search(qwen3_8b(), under(6'000'000'000));
    CHECK(found.space == 560);
    CHECK(found.fit == 416);
    CHECK(found.refused == 0);
    struct Row {
        Shape shape;
        std::int64_t params;
        double weights, kv;
    };
    const Row rows[] = {{{34, 3328, 11264, 32, 8}, 5'993'833'216, 11432.3, 544},
                        {{30, 3584, 11776, 32, 8}, 5'988'774'912, 11422.7, 480},
                        {{36, 3840, 8192, 32, 8}, 5'980'121'856, 11406.2, 576},
                        {{36, 3584, 9216, 32, 8}, 5'977'809'408, 11401.8, 576},
                        {{36, 3072, 11776, 32, 8}, 5'973'184'512, 11392.9, 576}};
    for (std::size_t i = 0; i < std::size(rows); ++i) {
        CAPTURE(i);
        CHECK(found.ranked[i].shape == rows[i].shape);
        CHECK(found.ranked[i].metrics.params == rows[i].params);
        CHECK(found.ranked[i].metrics.weights_mib ==
              doctest::Approx(rows[i].weights).epsilon(1e-5));
        CHECK(found.ranked[i].metrics.kv_mib == rows[i].kv);
    }
    SearchOptions skipped = under(6'000'000'000);
    skipped.skip = {Hparam::num_attention_heads};
    Found fewer = search(qwen3_8b(), skipped);
    CHECK(fewer.space == 280);
    CHECK(fewer.fit == 199);
    for (std::size_t i = 0; i < std::size(rows); ++i)
        CHECK(fewer.ranked[i].shape == rows[i].shape);
}

TEST_CASE("24 layers come into reach with a deeper cut") {
    SearchOptions options = under(6'000'000'000);
    options.max_depth_pruning = 0.36;
    CHECK(search(qwen3_8b(), options).choices.front().sizes.front() == 24);
}

TEST_CASE("every bound holds, and candidates are ranked by the first that is given") {
    SearchOptions options = under(7'000'000'000);
    options.bounds.memory_mib = 12000;
    for (const Candidate& one : search(qwen3_8b(), options).ranked) {
        CHECK(one.metrics.params <= 7'000'000'000);
        CHECK(one.metrics.memory_mib() <= 12000);
    }
    SearchOptions memory;
    memory.bounds.memory_mib = 12000;
    std::vector<Candidate> ranked = search(qwen3_8b(), memory).ranked;
    for (std::size_t i = 1; i < ranked.size(); ++i)
        CHECK(ranked[i - 1].metrics.memory_mib() >= ranked[i].metrics.memory_mib());
}

TEST_CASE("shapes that a family's own class refuses are dropped and counted, or kept") {
    Found found = search(smollm2(), under(100'000'000));
    CHECK(found.refused > 0);
    for (const Candidate& one : found.ranked)
        CHECK(one.shape.hidden % one.shape.heads == 0);
    CHECK(found.fit == found.refused + static_cast<std::int64_t>(found.ranked.size()));
    SearchOptions all = under(100'000'000);
    all.keep_refused = true;
    CHECK(static_cast<std::int64_t>(search(smollm2(), all).ranked.size()) == found.fit);
}

TEST_CASE("candidates change with divisors, skip and bounds") {
    auto first = [](const SearchOptions& options) {
        return search(qwen3_8b(), options).ranked.front().shape;
    };
    SearchOptions options = under(6'000'000'000);
    Shape plain = first(options);
    options.divisors[Hparam::ffn_hidden_size] = 64;
    CHECK(first(options) != plain);
    options = under(6'000'000'000);
    options.skip = {Hparam::num_layers};
    CHECK(first(options).layers == 36);
    CHECK(first(under(5'000'000'000)) != plain);
}

TEST_CASE("within a tolerance the candidates are unlike each other, the largest first") {
    SearchOptions options = under(6'000'000'000);
    Found found = search(qwen3_8b(), options);
    options.tolerance = 0.05;
    std::vector<Candidate> diverse = chosen(found, options, 10);
    REQUIRE(diverse.size() == 10);
    CHECK(diverse.front().shape == found.ranked.front().shape);
    for (const Candidate& one : diverse)
        CHECK(one.metrics.params >= 5'700'000'000);
    auto depths = [](const std::vector<Candidate>& some) {
        std::set<std::int64_t> out;
        for (const Candidate& one : some)
            out.insert(one.shape.hidden);
        return out.size();
    };
    options.tolerance.reset();
    CHECK(depths(diverse) >= depths(chosen(found, options, 10)));
    options.tolerance = 1e-9;  // none but what meets the target exactly
    CHECK(chosen(found, options, 10).empty());
}

TEST_CASE("where KV groups go, heads go by whole groups") {
    SearchOptions options = under(6'000'000'000);
    options.prune_kv_groups = true;
    for (const Candidate& one : search(qwen3_8b(), options).ranked)
        CHECK(one.shape.heads == 4 * one.shape.kv_heads);
}

}  // namespace stillroom::prune
