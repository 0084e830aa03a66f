#include "plugins/checkpoint/comparison.h"

#include "engine/base/json_value.h"
#include "tests/engine/temporary_folder.h"
#include "tests/plugins/checkpoint/model_of.h"

#include <doctest/doctest.h>

using namespace stillroom;
using namespace stillroom::checkpoint;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> keys_that_differ(std::string one, std::string other) {
    std::vector<std::string> out;
    for (const ConfigDifference& found :
         compare_configs(lm::ConfigText::parse(std::move(one), "a"),
                         lm::ConfigText::parse(std::move(other), "b")))
        out.push_back(found.key);
    return out;
}

using Keys = std::vector<std::string>;

TEST_CASE("configs are compared by what they say, not by how they spell it") {
    CHECK(keys_that_differ(R"({"a": 1e-6, "b": [1, 2]})", R"({"b":[1,2],"a":0.000001})") == Keys{});
    CHECK(keys_that_differ(R"({"a": {"b": 1, "c": 2}})", R"({"a": {"b": 1, "c": 3}})") ==
          Keys{"a.c"});
    CHECK(keys_that_differ(R"({"a": 1, "b": 2})", R"({"a": 1, "c": 2})") == Keys{"b", "c"});
    CHECK(keys_that_differ(R"({"a": "1"})", R"({"a": 1})") == Keys{"a"});
}

TEST_CASE("models of one seed are equal, of two are not, of two types are but for the type") {
    TemporaryFolder scratch;
    fs::path one = scratch.path() / "one", two = scratch.path() / "two",
             half = scratch.path() / "half";
    write_model(one, tiny_model(), lm::Dtype::bf16);
    write_model(two, tiny_model(), lm::Dtype::bf16, 2);
    write_model(half, tiny_model(), lm::Dtype::f32);
    Comparison same = compare(one, one, 2, {});
    CHECK(same.all.differing == 0);
    CHECK(same.all.cosine() == doctest::Approx(1));
    CHECK(Json::parse(json_of(same)).at("equal").boolean());
    Comparison other = compare(one, two, 2, {});
    CHECK(other.all.differing > 1000);
    CHECK(other.all.max > 0.5);
    CHECK(!Json::parse(json_of(other)).at("equal").boolean());
    Comparison types = compare(one, half, 1, {});
    CHECK(types.tensors.size() == 21);
    CHECK(types.all.max > 0);
    CHECK(types.all.max < 0.01);
    CHECK(text_of(types, false).find("BF16 and F32") != std::string::npos);
}

TEST_CASE("tensors of one side alone and unequal shapes are named") {
    TemporaryFolder scratch;
    fs::path one = scratch.path() / "one", tied = scratch.path() / "tied";
    write_model(one, tiny_model());
    lm::ModelConfig model = tiny_model(true);
    model.vocab = 64;
    write_model(tied, model);
    Comparison found = compare(one, tied, 1, {});
    CHECK(found.only_one == std::vector<std::string>{"lm_head.weight"});
    CHECK(found.only_other.empty());
    CHECK(text_of(found, false).find("[32, 8] and [64, 8]") != std::string::npos);
}

}  // namespace
