// What transformers reads out of a hundred config.json files, against what is read here:
// tests/reference/config/make.py.
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/config/loadable.h"
#include "plugins/lm/config/new_config.h"
#include "plugins/lm/config/rope.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace stillroom::lm {
namespace {

ConfigText reference() {
    return ConfigText::parse(read_file(STILLROOM_REFERENCE "/config/configs.json", 1 << 20),
                             "configs.json");
}

const ConfigValue& at(const ConfigValue& value, std::string_view key) {
    const ConfigValue* found = value.find(key);
    REQUIRE_MESSAGE(found, key);
    return *found;
}

/// The value's own bytes: a config.json.
std::string text_of(const ConfigText& all, const ConfigValue& value) {
    return all.text().substr(value.begin, value.end - value.begin);
}

std::vector<float> floats(std::string_view base64) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    std::uint32_t bits = 0;
    int count = 0;
    for (char c : base64) {
        if (c == '=')
            break;
        bits = bits << 6 | static_cast<std::uint32_t>(kDigits.find(c));
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes += static_cast<char>(bits >> count & 0xFF);
        }
    }
    std::vector<float> out(bytes.size() / 4);
    std::memcpy(out.data(), bytes.data(), out.size() * 4);
    return out;
}

/// Torch's own fp32 power differs from a correctly rounded one in the last bit here and there.
void check_frequencies(const std::vector<float>& found, const std::vector<float>& wanted) {
    REQUIRE(found.size() == wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        CAPTURE(i);
        CHECK(std::abs(found[i] - wanted[i]) <= 3e-7F * wanted[i]);
    }
}

void check_rope(const Rope& rope, const ConfigValue& wanted) {
    CHECK(rope.attention_factor == at(wanted, "attention_factor").number);
    check_frequencies(inverse_frequencies(rope), floats(at(wanted, "inv_freq").string));
    if (const ConfigValue* longer = wanted.find("inv_freq_5000"))
        check_frequencies(inverse_frequencies(rope, 5000), floats(longer->string));
}

void check_layers(const ModelConfig& model, const ConfigValue& wanted) {
    const std::vector<ConfigValue>& windows = at(wanted, "windows").items;
    REQUIRE(model.layers.size() == windows.size());
    const ConfigValue& ropes = at(wanted, "rope");
    for (std::size_t i = 0; i < windows.size(); ++i) {
        CAPTURE(i);
        const Attention& attention = *model.layers[i].attention;
        CHECK(attention.heads == at(wanted, "heads").integer);
        CHECK(attention.kv_heads == at(wanted, "kv_heads").integer);
        CHECK(attention.head_dim == at(wanted, "head_dim").integer);
        CHECK(attention.window.has_value() == !windows[i].is_null());
        if (attention.window)
            CHECK(*attention.window == windows[i].integer);
        const ConfigValue* windowed = attention.window ? ropes.find("windowed") : nullptr;
        check_rope(attention.rope, windowed ? *windowed : at(ropes, "full"));
    }
}

void check_cap(const std::optional<double>& found, const ConfigValue& wanted) {
    CHECK(found.has_value() == !wanted.is_null());
    if (found)
        CHECK(*found == wanted.number);
}

std::string name_of(Activation activation) {
    switch (activation) {
        case Activation::silu:
            return "SiLUActivation";
        case Activation::gelu_tanh:
            return "GELUTanh";
        case Activation::gelu:
            return "GELUActivation";
        case Activation::relu_squared:
            return "ReLUSquaredActivation";
    }
    return "";
}

std::string plain_name(const std::string& activation) {
    if (activation == "NewGELUActivation")
        return "GELUTanh";  // the same formula, written out
    return activation == "SiLU" ? "SiLUActivation" : activation;
}

void check_model(const ModelConfig& model, const ConfigValue& wanted) {
    CHECK(model.norm_eps == at(wanted, "eps").number);
    CHECK(name_of(model.activation) == plain_name(at(wanted, "activation").string));
    CHECK(model.attention_scale == doctest::Approx(at(wanted, "scale").number).epsilon(1e-15));
    check_cap(model.attention_cap, at(wanted, "attention_cap"));
    check_cap(model.final_cap, at(wanted, "final_cap"));
    CHECK(model.tied == at(wanted, "tied").boolean);
    CHECK(model.max_positions == at(wanted, "positions").integer);
    CHECK(model.dtype == at(wanted, "dtype").string);
    check_layers(model, wanted);
}

TEST_CASE("transformers reads the same out of a config.json, in both of its spellings") {
    ConfigText all = reference();
    for (const ConfigValue& wanted : at(all.root(), "cases").items) {
        std::string name = at(wanted, "name").string;
        CAPTURE(name);
        ConfigFile old = ConfigFile::parse(text_of(all, at(wanted, "old")), name);
        ConfigFile now = ConfigFile::parse(text_of(all, at(wanted, "new")), name);
        check_model(old.model(), wanted);
        CHECK(old.model() == now.model());
    }
}

TEST_CASE("what is read can be written anew, and expressed unchanged") {
    ConfigText all = reference();
    for (const ConfigValue& wanted : at(all.root(), "cases").items) {
        CAPTURE(at(wanted, "name").string);
        ConfigFile file = ConfigFile::parse(text_of(all, at(wanted, "new")), "config.json");
        ModelConfig model = file.model();
        std::string before = file.text();
        file.express(model);
        CHECK(file.text() == before);
        ModelConfig again = ConfigFile::parse(config_json(model), "config.json").model();
        CHECK(again == model);
    }
}

TEST_CASE("a shape is called a misfit exactly where transformers refuses it") {
    ConfigText all = reference();
    for (const ConfigValue& row : at(all.root(), "refused").items) {
        CAPTURE(text_of(all, row));
        ConfigFile file = ConfigFile::parse(
            fmt::format(R"({{"model_type": "{}", "hidden_size": {}, "num_attention_heads": {}, )"
                        R"("num_key_value_heads": 2, "head_dim": 16, "num_hidden_layers": 1, )"
                        R"("intermediate_size": 8, "vocab_size": 8}})",
                        row.items[0].string,
                        row.items[1].integer,
                        row.items[2].integer),
            "config.json");
        CHECK(!misfits(file.model()).empty() == row.items[3].boolean);
    }
}

}  // namespace
}  // namespace stillroom::lm
