#include "plugins/lm/modules/generate.h"

#include "engine/base/error.h"
#include "tests/plugins/lm/modules/cases.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

const std::vector<float> kLogits = {1, 3, 2, 3, -1};  // in falling order: 1, 3, 2, 0, 4

/// How often each token is taken over evenly spread numbers.
std::map<std::int64_t, int> taken(const Sampling& sampling) {
    std::map<std::int64_t, int> out;
    for (int i = 0; i < 1000; i++)
        out[take_token(kLogits, sampling, (i + 0.5) / 1000)]++;
    return out;
}

/// Greedy by reading the whole text for each token.
std::vector<std::int64_t> greedy_without_cache(const Decoder& decoder,
                                               std::vector<std::int64_t> ids,
                                               std::size_t count) {
    c10::InferenceMode inference;
    std::size_t prompt = ids.size();
    while (ids.size() < prompt + count) {
        Batch batch = batch_of_rows(at::tensor(ids, at::kLong).unsqueeze(0));
        ids.push_back(logits_of(decoder, batch)[-1].argmax().item<std::int64_t>());
    }
    return {ids.begin() + static_cast<std::ptrdiff_t>(prompt), ids.end()};
}

}  // namespace

TEST_CASE("without a temperature the most likely token is taken, of equal ones the first") {
    CHECK(taken({}) == std::map<std::int64_t, int>{{1, 1000}});
}

TEST_CASE("tokens are taken as often as their shares say, after top_k and top_p") {
    double e2 = std::exp(-1), e0 = std::exp(-2), e4 = std::exp(-4), sum = 2 + e2 + e0 + e4;
    std::map<std::int64_t, int> all = taken({.temperature = 1});
    CHECK(std::abs(all[1] - 1000 / sum) <= 1);
    CHECK(std::abs(all[3] - 1000 / sum) <= 1);
    CHECK(std::abs(all[2] - 1000 * e2 / sum) <= 1);
    CHECK(std::abs(all[0] - 1000 * e0 / sum) <= 1);
    CHECK(std::abs(all[4] - 1000 * e4 / sum) <= 1);

    CHECK(taken({.temperature = 1, .top_k = 2}) == std::map<std::int64_t, int>{{1, 500}, {3, 500}});
    CHECK(taken({.temperature = 2, .top_k = 1}) == std::map<std::int64_t, int>{{1, 1000}});
    // the first has 0.396 of all, the first two 0.793
    CHECK(taken({.temperature = 1, .top_p = 0.39}).size() == 1);
    CHECK(taken({.temperature = 1, .top_p = 0.5}).size() == 2);
    CHECK(taken({.temperature = 1, .top_p = 0.85}).size() == 3);
}

TEST_CASE("settings that mean nothing and logits that are none are refused") {
    CHECK_THROWS_WITH_AS(check_sampling({.temperature = -1}), "temperature -1: 0 or more", Error);
    CHECK_THROWS_AS(check_sampling({.top_k = -1}), Error);
    CHECK_THROWS_AS(check_sampling({.top_p = 0}), Error);
    float nan = std::numeric_limits<float>::quiet_NaN(),
          inf = std::numeric_limits<float>::infinity();
    for (float bad : {nan, -inf, inf})
        CHECK_THROWS_AS(take_token(std::vector<float>{bad, bad}, {}, 0.5), Error);
}

TEST_CASE("a generated text is what reading the whole text for each token gives") {
    for (const char* name : {"qwen3", "mistral-window", "gemma2", "llama-dynamic"}) {
        CAPTURE(name);
        Decoder decoder = made_decoder(case_named(name).config);
        std::vector<std::int64_t> prompt = {5, 9, 2, 60, 31};
        Generated found = generate(decoder, prompt, {.max_tokens = 16});  // beyond 16 positions
        CHECK(found.ids == greedy_without_cache(decoder, prompt, 16));
        CHECK((found.ending == Ending::length));
    }
}

TEST_CASE("a text ends at a stop id, which is no part of it, or where its reader says") {
    Decoder decoder = made_decoder(case_named("qwen3").config);
    std::vector<std::int64_t> prompt = {5, 9, 2};
    std::vector<std::int64_t> all = generate(decoder, prompt, {.max_tokens = 8}).ids;
    auto stop = std::find(all.begin(), all.end(), all[4]);
    Generated found = generate(decoder, prompt, {.max_tokens = 8, .stop_ids = {all[4]}});
    CHECK((found.ending == Ending::stop_id));
    CHECK(found.ids == std::vector(all.begin(), stop));

    std::vector<std::int64_t> seen;
    found = generate(decoder, prompt, {.max_tokens = 8, .on_token = [&](std::int64_t id) {
                                           seen.push_back(id);
                                           return seen.size() < 3;
                                       }});
    CHECK((found.ending == Ending::reader));
    CHECK(found.ids == seen);
    CHECK(seen.size() == 3);
}

TEST_CASE("a seed gives one text, another seed another") {
    Decoder decoder = made_decoder(case_named("llama").config);
    auto text = [&](std::uint64_t seed) {
        return generate(decoder,
                        std::vector<std::int64_t>{1, 2, 3},
                        {.max_tokens = 12, .sampling = {.temperature = 2, .seed = seed}})
            .ids;
    };
    CHECK(text(1) == text(1));
    CHECK(text(1) != text(2));
}
