#include "engine/base/error.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/config/loadable.h"
#include "plugins/lm/config/new_config.h"

#include <doctest/doctest.h>

#include <functional>

namespace stillroom::lm {
namespace {

ConfigFile parse(std::string text) {
    return ConfigFile::parse(std::move(text), "config.json");
}

ConfigFile fresh(Family family, std::int64_t layers = 6, std::int64_t window = 0) {
    NewModel numbers{.family = family,
                     .hidden = 64,
                     .layers = layers,
                     .heads = 4,
                     .kv_heads = 2,
                     .ffn = 96,
                     .vocab = 128,
                     .window = window};
    return parse(config_json(new_model(numbers)));
}

void each_attention(ModelConfig& model, const std::function<void(Attention&)>& change) {
    for (Layer& layer : model.layers)
        change(*layer.attention);
}

/// The model with these layers only.
ModelConfig with_layers(const ModelConfig& model, const std::vector<std::int64_t>& kept) {
    ModelConfig out = model;
    out.layers.clear();
    for (std::int64_t layer : kept)
        out.layers.push_back(model.layers[static_cast<std::size_t>(layer)]);
    return out;
}

/// Lines of `after` that `before` has not.
std::string new_lines(const std::string& before, const std::string& after) {
    std::string out;
    std::size_t at = 0;
    while (at < after.size()) {
        std::size_t end = after.find('\n', at);
        std::string line = after.substr(at, end - at);
        if (("\n" + before).find("\n" + line + "\n") == std::string::npos)
            out += line + "\n";
        at = end + 1;
    }
    return out;
}

std::string refusal(ConfigFile& file,
                    const ModelConfig& model,
                    std::vector<std::int64_t> kept = {}) {
    std::string before = file.text();
    try {
        file.express(model, kept);
        return "";
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitUsage);
        CHECK(file.text() == before);
        return error.what();
    }
}

TEST_CASE("a narrower MLP changes one line") {
    ConfigFile file = fresh(Family::qwen3);
    std::string before = file.text();
    ModelConfig model = file.model();
    for (Layer& layer : model.layers)
        layer.mlp->width = 80;
    file.express(model);
    CHECK(new_lines(before, file.text()) == "  \"intermediate_size\": 80,\n");
    CHECK(file.model() == model);
}

TEST_CASE("after a change of heads or width head_dim is written, where it was not too") {
    ConfigFile file = parse(
        "{\n  \"model_type\": \"qwen2\",\n  \"hidden_size\": 64,\n  \"num_hidden_layers\": 1,\n"
        "  \"num_attention_heads\": 4,\n  \"intermediate_size\": 8,\n  \"vocab_size\": 9,\n"
        "  \"num_key_value_heads\": 2,\n  \"rms_norm_eps\": 1e-06\n}\n");
    ModelConfig model = file.model();
    model.hidden = 40;
    file.express(model);
    CHECK(file.text().ends_with("\"rms_norm_eps\": 1e-06,\n  \"head_dim\": 16\n}\n"));
    CHECK(file.text().find("\"hidden_size\": 40") != std::string::npos);
    CHECK(file.model().layers[0].attention->head_dim == 16);
}

TEST_CASE("kept layers take their lists with them") {
    ConfigFile gemma = fresh(Family::gemma2);
    ModelConfig cut = with_layers(gemma.model(), {0, 2, 3});
    std::string before = gemma.text();
    gemma.express(cut, std::vector<std::int64_t>{0, 2, 3});
    CHECK(new_lines(before, gemma.text()) == "  \"num_hidden_layers\": 3,\n");
    CHECK(gemma.text().find("\"layer_types\": [\n    \"sliding_attention\",\n    "
                            "\"sliding_attention\",\n    \"full_attention\"\n  ]") !=
          std::string::npos);
    CHECK(gemma.model() == cut);
}

TEST_CASE("a rule by layer numbers becomes a list when layers go") {
    ConfigFile gemma = parse(
        "{\n  \"model_type\": \"gemma3_text\",\n  \"hidden_size\": 64,\n  \"num_hidden_layers\": "
        "7,\n"
        "  \"num_attention_heads\": 4,\n  \"intermediate_size\": 8,\n  \"vocab_size\": 9\n}\n");
    ModelConfig cut = with_layers(gemma.model(), {1, 5});
    gemma.express(cut, std::vector<std::int64_t>{1, 5});
    CHECK(gemma.text().ends_with(
        "\"layer_types\": [\n    \"sliding_attention\",\n    \"full_attention\"\n  ]\n}\n"));
}

TEST_CASE("Qwen's first layer with a window is counted again") {
    ConfigFile qwen = parse(R"({"model_type": "qwen2", "hidden_size": 64, "num_hidden_layers": 6,)"
                            R"( "num_attention_heads": 4, "intermediate_size": 8, "vocab_size": 9,)"
                            R"( "num_key_value_heads": 4, "use_sliding_window": true,)"
                            R"( "sliding_window": 32, "max_window_layers": 4})");
    ModelConfig cut = with_layers(qwen.model(), {0, 3, 5});
    qwen.express(cut, std::vector<std::int64_t>{0, 3, 5});
    CHECK(qwen.text().find("\"num_hidden_layers\": 3") != std::string::npos);
    CHECK(qwen.text().find("\"max_window_layers\": 2}") != std::string::npos);
}

TEST_CASE("dtype and ties are written in the style and places of the source") {
    ConfigFile file = fresh(Family::llama);
    ModelConfig model = file.model();
    model.dtype = "float16";
    model.tied = true;
    std::string before = file.text();
    file.express(model);
    CHECK(new_lines(before, file.text()) ==
          "  \"tie_word_embeddings\": true,\n  \"torch_dtype\": \"float16\",\n");
}

TEST_CASE("a shape that transformers refuses is refused with its neighbours") {
    ConfigFile llama = fresh(Family::llama);
    ModelConfig model = llama.model();
    model.hidden = 4096;
    each_attention(model, [](Attention& attention) {
        attention.heads = 24;
        attention.kv_heads = 8;
    });
    std::vector<Misfit> found = misfits(model);
    REQUIRE(found.size() == 1);
    CHECK(found[0].key == "num_attention_heads");
    CHECK(found[0].hint == "nearest: 16 or 32 heads, or hidden_size 4080 or 4104");
    CHECK(refusal(llama, model) ==
          "hidden_size 4096 is no multiple of 24 heads, and transformers refuses such a llama");
    model.family = Family::qwen3;
    CHECK(misfits(model).empty());
    each_attention(model, [](Attention& attention) { attention.heads = 20; });
    REQUIRE(misfits(model).size() == 1);
    CHECK(misfits(model)[0].message == "20 heads are no multiple of 8 KV heads");
    CHECK(misfits(model)[0].hint == "nearest: 16 or 24 heads");
}

TEST_CASE("layers of unequal shapes have no stock config.json") {
    ConfigFile file = fresh(Family::llama);
    ModelConfig model = file.model();
    model.layers[1].mlp->width = 48;
    CHECK_FALSE(is_uniform(model));
    CHECK(
        refusal(file, model) ==
        "the layers differ in heads or width, or miss a block: LlamaForCausalLM has one shape for "
        "all");
    model = file.model();
    model.layers[1].attention.reset();
    CHECK(refusal(file, model).starts_with("the layers differ"));
}

TEST_CASE("what config.json cannot say is refused, and leaves the text as it was") {
    ConfigFile file = fresh(Family::mistral);
    ModelConfig model = file.model();
    model.layers[0].attention->window = 5;
    CHECK(refusal(file, model) == "the config.json of a mistral cannot say the window of layer 0");
    model = file.model();
    model.activation = Activation::gelu;
    CHECK(refusal(file, model) == "the config.json of a mistral cannot say the activation");
    model = with_layers(file.model(), {0, 1});
    CHECK(refusal(file, model) == "0 layers are kept, the model has 2");
    CHECK(refusal(file, model, {1, 0}) == "layer 0 is kept: the 6 layers count from 0, in order");
    CHECK(refusal(file, model, {1, 6}) == "layer 6 is kept: the 6 layers count from 0, in order");
    CHECK(refusal(file, model, {1, 2}).empty());
}

TEST_CASE("a model from few numbers is read back from its file, for every family") {
    for (int i = 0; i < kFamilyCount; ++i) {
        NewModel numbers{.family = static_cast<Family>(i),
                         .hidden = 64,
                         .layers = 7,
                         .heads = 4,
                         .kv_heads = 2,
                         .ffn = 96,
                         .vocab = 128,
                         .tied = i % 2 == 0,
                         .max_positions = 512,
                         .theta = 2e4,
                         .window = i % 3 == 0 ? 0 : 32};
        ModelConfig model = new_model(numbers);
        CHECK(model.layers.size() == 7);
        CHECK(model.layers[0].attention->head_dim == 16);
        CHECK(model.attention_scale == 0.25);
        CHECK(model.tied == (i % 2 == 0));
        CHECK(parse(config_json(model, {.bos = 1, .pad = {}, .eos = {2, 3}})).model() == model);
    }
    CHECK_THROWS_WITH_AS(new_model({.hidden = 8}), "layers is 0: it must be from 1 to 4096", Error);
    CHECK_THROWS_WITH_AS(
        new_model({.hidden = 8, .layers = 1, .heads = 4, .kv_heads = 3, .ffn = 1, .vocab = 1}),
        "4 heads are no multiple of 3 KV heads",
        Error);
}

}  // namespace
}  // namespace stillroom::lm
