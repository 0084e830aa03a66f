#include "engine/plugin/settings.h"

#include "engine/base/error.h"
#include "tests/engine/plugin/forms_settings.h"

#include <doctest/doctest.h>

#include <string>

namespace {

using namespace stillroom;
using Settings = sample::FormsSettings;

Settings read(std::string_view json) {
    return settings_of<Settings>(json);
}

/// "KEY: MESSAGE" of what the reading refuses.
std::string refusal(std::string_view json) {
    try {
        read(json);
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitPolicy);
        return error.setting() + ": " + error.what();
    }
    return "nothing";
}

template <class T>
std::string text(const T& key) {
    return std::string(static_cast<std::string_view>(key));
}

TEST_CASE("what the settings leave out has the schema's default") {
    Settings settings = read(R"({"count": 3})");
    CHECK(settings.name == "a \"quoted\" name?");
    CHECK(settings.count == 3);
    CHECK(settings.limit == 6'000'000'000);
    CHECK(settings.rate == 0.5);
    CHECK(settings.strict);
    CHECK(settings.default_ == Settings::Default::llama_cpp);
    CHECK(settings.bits == 8);
    CHECK_FALSE(settings.at);
    CHECK(std::get<1>(settings.files) == std::vector<std::filesystem::path>{"a", "b"});
    CHECK(settings.betas == std::vector<double>{0.9, 1});
    CHECK(std::holds_alternative<Settings::Auto>(settings.batch));
    CHECK(std::get<Settings::Decay>(settings.decay).from == 2);
    CHECK(settings.steps == std::map<Settings::Size, std::int64_t>{{Settings::Size::depth, 2}});
    CHECK(std::get<Settings::Kl>(settings.loss).temperature == 2);
    CHECK(settings.deep.deeper.size == Settings::Size::width);
}

TEST_CASE("every form is read from the settings") {
    Settings settings = read(R"({
        "count": 6e9, "name": "x", "rate": null, "strict": false, "default": "tensorrt-llm",
        "bits": 4, "at": "a/b", "files": "c", "token": "HF_TOKEN", "betas": [1, "inf"], "batch": 7,
        "decay": 0.25, "steps": {"width": 5}, "gate": {"a.b": {"min": 1}, "c": {}},
        "pairs": [{"size": "depth"}, {"size": "width", "weight": 3}],
        "loss": {"kind": "mse", "layers": [1, 2]}, "deep": {"deeper": {"size": "depth"}}})");
    CHECK(settings.count == 6'000'000'000);
    CHECK_FALSE(settings.rate);
    CHECK_FALSE(settings.strict);
    CHECK(word(settings.default_) == "tensorrt-llm");
    CHECK(settings.bits == 4);
    CHECK(settings.at == "a/b");
    CHECK(std::get<std::filesystem::path>(settings.files) == "c");
    CHECK(settings.token == "HF_TOKEN");
    CHECK(settings.betas[1] > 1e308);
    CHECK(std::get<std::int64_t>(settings.batch) == 7);
    CHECK(std::get<double>(settings.decay) == 0.25);
    CHECK(settings.steps.at(Settings::Size::width) == 5);
    CHECK(settings.gate.at("a.b").min == 1);
    CHECK_FALSE(settings.gate.at("c").min);
    CHECK(settings.pairs[0].size == Settings::Size::depth);
    CHECK(settings.pairs[0].weight == 1);
    CHECK(settings.pairs[1].weight == 3);
    CHECK(std::get<Settings::Mse>(settings.loss).layers == std::vector<std::int64_t>{1, 2});
    CHECK(settings.deep.deeper.size == Settings::Size::depth);
}

TEST_CASE("a key says where a setting stands") {
    Settings::Key key;
    CHECK(text(key.count) == "count");
    CHECK(text(key.default_) == "default");
    CHECK(text(key.deep.deeper.size) == "deep.deeper.size");
    CHECK(text(key.pairs[2].weight) == "pairs[2].weight");
    CHECK(text(key.betas[0]) == "betas[0]");
    CHECK(text(key.steps[Settings::Size::depth]) == "steps.depth");
    CHECK(text(key.gate["loss"].min) == "gate.loss.min");
    CHECK(text(key.decay.from) == "decay.from");
    CHECK(text(key.loss.as<Settings::Mse>().layers) == "loss.layers");
}

TEST_CASE("settings of another schema are refused with their key, whatever they are") {
    CHECK(refusal("{}") == "count: 'count' should be there, not null");
    CHECK(refusal(R"({"count": 1, "cuont": 2})") == "cuont: 'cuont' should be absent, not 2");
    CHECK(refusal(R"({"count": "many"})") == "count: 'count' should be a whole number, not many");
    CHECK(refusal(R"({"count": 1.5})") == "count: 'count' should be a whole number, not 1.5");
    CHECK(refusal(R"({"count": 1e30})") == "count: 'count' should be a whole number, not 1e30");
    CHECK(refusal(R"({"count": 1, "default": "vllm"})") ==
          "default: 'default' should be auto, llama.cpp, tensorrt-llm or 8bit, not vllm");
    CHECK(refusal(R"({"count": 1, "batch": true})") ==
          "batch: 'batch' should be another form, not true");
    CHECK(refusal(R"({"count": 1, "batch": "atuo"})") == "batch: 'batch' should be auto, not atuo");
    CHECK(refusal(R"({"count": 1, "pairs": [{"size": "width"}, {}]})") ==
          "pairs[1].size: 'pairs[1].size' should be there, not null");
    CHECK(refusal(R"({"count": 1, "loss": {"kind": "l1"}})") ==
          "loss: 'loss' should be another form, not a map");
    CHECK(refusal(R"({"count": 1, "steps": {"height": 1}})") ==
          "steps.height: 'steps.height' should be width or depth, not height");
    CHECK(refusal(R"({"count": 1, "betas": 1})") == "betas: 'betas' should be a list, not 1");
    CHECK(refusal("[]") == ": the settings should be a map, not a list");
}

}  // namespace
