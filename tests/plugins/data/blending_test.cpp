#include "plugins/data/blending.h"

#include "engine/base/error.h"

#include <doctest/doctest.h>

namespace stillroom::data {
namespace {

lm::DatasetPart part(const char* prefix, std::int64_t tokens, std::optional<double> weight = {}) {
    return {prefix, "", weight, lm::Count::exactly(1), lm::Count::exactly(tokens)};
}

BlendInput input(std::vector<lm::DatasetPart> parts, const char* folder) {
    lm::DatasetInfo info;
    info.parts = std::move(parts);
    return {info, folder};
}

std::vector<double> weights_of(const lm::DatasetInfo& info) {
    std::vector<double> out;
    for (const lm::DatasetPart& one : info.parts)
        out.push_back(one.weight.value_or(-1));
    return out;
}

TEST_CASE("an input of several parts shares its weight out, by their own weights or their tokens") {
    BlendInput one = input({part("a", 10)}, "/x");
    BlendInput two = input({part("b", 10), part("c", 30)}, "/y");
    BlendInput three = input({part("/z/d", 5, 1.), part("e", 5, 4.)}, "/z");
    CHECK(weights_of(blend({one, two}, {})) == std::vector<double>{-1, -1, -1});
    CHECK(weights_of(blend({one, two}, {6, 2})) == std::vector<double>{6, 0.5, 1.5});
    CHECK(weights_of(blend({one, three}, {1, 10})) == std::vector<double>{1, 2, 8});
    lm::DatasetInfo by_size = blend({one, three}, {});
    CHECK(weights_of(by_size) == std::vector<double>{10, 2, 8});
    CHECK(by_size.parts[0].prefix == "/x/a");
    CHECK(by_size.parts[1].prefix == "/z/d");
    CHECK(blend_text_of(by_size) == "10 /x/a\n2 /z/d\n8 /z/e\n");
}

TEST_CASE("datasets of two tokenizers are no blend; what one knows, the blend knows") {
    BlendInput a = input({part("a", 1)}, "/x"), b = a;
    a.info.tokenizer = "aaaa";
    a.info.vocabulary = 100;
    CHECK(blend({b, a}, {}).tokenizer == "aaaa");
    CHECK(blend({b, a}, {}).vocabulary == 100);
    b.info.tokenizer = "bbbb";
    CHECK_THROWS_WITH_AS(blend({a, b}, {}),
                         "dataset 2 of the blend is of tokenizer bbbb, one before it of aaaa",
                         Error);
    b.info.tokenizer.clear();
    b.info.vocabulary = 99;
    CHECK_THROWS_AS(blend({a, b}, {}), Error);
}

TEST_CASE("parts get names that say nothing of where they lie, no two the same and no blank") {
    lm::DatasetInfo info;
    info.parts = {part("/s/a", 1), part("/t/a", 1), part("/t/a-2", 1), part("b/a\tb c", 1)};
    std::vector<std::filesystem::path> were = name_parts(info);
    CHECK(were[1] == "/t/a");
    CHECK(info.parts[0].prefix == "a");
    CHECK(info.parts[1].prefix == "a-2");
    CHECK(info.parts[2].prefix == "a-2-2");
    CHECK(info.parts[3].prefix == "a_b_c");
    CHECK(blend_text_of(info) == "a\na-2\na-2-2\na_b_c\n");
}

}  // namespace
}  // namespace stillroom::data
