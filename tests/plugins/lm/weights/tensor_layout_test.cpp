#include "plugins/lm/weights/tensor_layout.h"

#include "engine/base/digest.h"
#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "plugins/lm/weights/safetensors.h"
#include "tests/plugins/lm/weights/refusal.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

TensorInfo tensor(std::string name, Dtype dtype, Shape shape) {
    return {std::move(name), dtype, std::move(shape), 0, 0};
}

TEST_CASE("the header is that of the format's own library, byte for byte") {
    std::string golden = read_file(STILLROOM_REFERENCE "/safetensors/golden.safetensors", 1 << 16);
    TensorFile file = TensorFile::open(STILLROOM_REFERENCE "/safetensors/golden.safetensors");
    std::vector<TensorInfo> mixed(file.tensors().rbegin(), file.tensors().rend());
    std::swap(mixed[2], mixed[7]);
    FileLayout layout = lay_out_file("x", mixed, kTorchFormat);
    CHECK(layout.header == golden.substr(0, layout.header.size()));
    CHECK(layout.size == golden.size());
    for (std::size_t i = 0; i < layout.tensors.size(); ++i) {
        CHECK(layout.tensors[i].offset == file.tensors()[i].offset);
        CHECK(layout.tensors[i].bytes == file.tensors()[i].bytes);
        CHECK(mixed[layout.origin[i]].name == file.tensors()[i].name);
    }
}

TEST_CASE("metadata is sorted, and none leaves no trace") {
    CHECK(lay_out_file("x", {}, {}).header == std::string("\x8\0\0\0\0\0\0\0{}      ", 16));
    std::string header = lay_out_file("x", {}, {{"b", "2"}, {"a", "1\n"}}).header;
    CHECK(header.substr(8) == "{\"__metadata__\":{\"a\":\"1\\n\",\"b\":\"2\"}}    ");
}

TEST_CASE("tensors are divided into files as the hub library divides them") {
    Json cases = Json::parse(read_file(STILLROOM_REFERENCE "/shards/splits.json", 1 << 20));
    CHECK(cases.list().size() == 14);
    for (const Json& each : cases.list()) {
        CAPTURE(each.at("name").string());
        std::vector<TensorInfo> tensors;
        for (const Json& size : each.at("sizes").list())
            tensors.push_back(
                tensor(fmt::format("t{:03}", tensors.size()), Dtype::u8, {size.integer()}));
        ModelLayout layout =
            lay_out_model(tensors, static_cast<std::uint64_t>(each.at("limit").integer()));
        REQUIRE(layout.files.size() == each.at("files").map().size());
        for (std::size_t i = 0; i < layout.files.size(); ++i) {
            const Json::Member& wanted = each.at("files").map()[i];
            CHECK(layout.files[i].name == wanted.key);
            std::vector<std::size_t> members = layout.files[i].origin;
            std::sort(members.begin(), members.end());
            std::vector<std::size_t> expected;
            for (const Json& index : wanted.value.list())
                expected.push_back(static_cast<std::size_t>(index.integer()));
            CHECK(members == expected);
        }
        CHECK((layout.index.empty() ? "" : digest_of(layout.index)) == each.at("index").string());
    }
}

TEST_CASE("five gigabytes go into a file unless more is asked for") {
    std::vector<TensorInfo> tensors;
    for (int i = 0; i < 11; ++i)
        tensors.push_back(tensor(std::to_string(i), Dtype::bf16, {500'000, 1'000}));
    CHECK(lay_out_model(tensors).files.size() == 3);
    CHECK(lay_out_model(tensors).tensor_bytes == 11'000'000'000);
    CHECK(lay_out_model(tensors).parameters == 5'500'000'000);
    CHECK(lay_out_model(tensors, 50'000'000'000).files.size() == 1);
    CHECK(lay_out_model(tensors, 50'000'000'000).index.empty());
}

TEST_CASE("what no file can hold is refused as a fault of ours") {
    auto said = [](const std::vector<TensorInfo>& tensors) {
        return refusal_of([&] { lay_out_model(tensors, 1); });
    };
    TensorInfo a = tensor("a", Dtype::u8, {1});
    CHECK(refusal_of([&] { lay_out_file("x", {a, a}, {}); }) == "70: cannot write two tensors 'a'");
    CHECK(said({a, a}) == "70: cannot write tensor 'a': there are two of this name");
    CHECK(said({tensor("__metadata__", Dtype::u8, {1})}) ==
          "70: cannot write two tensors '__metadata__'");
    CHECK(said({tensor("f", Dtype::f4, {3})}) ==
          "70: cannot write tensor 'f': F4 [3] ends inside a byte");
    CHECK(said({tensor("n", Dtype::u8, {-1})}) == "70: cannot write tensor 'n': [-1] is no shape");
    CHECK(said({tensor("n", Dtype::f32, {INT64_MAX})}).ends_with("is no shape"));
}

}  // namespace
}  // namespace stillroom::lm
