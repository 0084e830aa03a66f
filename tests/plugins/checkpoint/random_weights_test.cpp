#include "plugins/checkpoint/random_weights.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

using namespace stillroom;
using namespace stillroom::checkpoint;

namespace {

std::vector<float> normal(std::int64_t seed,
                          std::string_view name,
                          std::uint64_t first,
                          int count) {
    std::vector<float> out(static_cast<std::size_t>(count));
    fill_normal(seed, name, first, out, 1);
    return out;
}

std::vector<std::byte> bytes_of(const lm::NewTensor& tensor) {
    std::vector<std::byte> out;
    tensor.make(
        [&](std::span<const std::byte> some) { out.insert(out.end(), some.begin(), some.end()); });
    return out;
}

lm::ModelConfig model_of(lm::Family family) {
    lm::ModelConfig model;
    model.family = family;
    model.norm = family == lm::Family::gemma ? lm::Norm::rms_plus_one : lm::Norm::rms;
    return model;
}

TEST_CASE("the quantiles of the normal distribution are those of the tables") {
    CHECK(normal_quantile(0.5) == 0);
    CHECK(normal_quantile(0.975) == doctest::Approx(1.959963984540054).epsilon(1e-14));
    CHECK(normal_quantile(0.9) == doctest::Approx(1.2815515655446004).epsilon(1e-14));
    CHECK(normal_quantile(1e-5) == doctest::Approx(-4.264890793922825).epsilon(1e-14));
    CHECK(normal_quantile(0x1p-33) == doctest::Approx(-6.337957754553789).epsilon(1e-14));
    CHECK(normal_quantile(0.25) == -normal_quantile(0.75));
}

TEST_CASE("a number depends on seed, name and place alone") {
    std::vector<float> all = normal(7, "a", 0, 1000);
    CHECK(normal(7, "a", 501, 3) == std::vector<float>(all.begin() + 501, all.begin() + 504));
    CHECK(normal(8, "a", 0, 4) != normal(7, "a", 0, 4));
    CHECK(normal(7, "b", 0, 4) != normal(7, "a", 0, 4));
}

TEST_CASE("numbers are normal") {
    std::vector<float> all = normal(1, "x", 0, 200000);
    double sum = 0, squares = 0, beyond = 0;
    for (float x : all) {
        sum += x;
        squares += double{x} * x;
        beyond += std::abs(x) > 1.959964;
    }
    CHECK(std::abs(sum / 200000) < 0.01);
    CHECK(std::abs(squares / 200000 - 1) < 0.02);
    CHECK(std::abs(beyond / 200000 - 0.05) < 0.003);
}

TEST_CASE("weights do not depend on the number of threads") {
    lm::WeightTable table({lm::Weight{
        "w", {{{{{lm::Axis::hidden, 1500}}}}, {{{{lm::Axis::ffn, 1000}}}}}, 0, {}, {}, {}}});
    RandomWeights one{1, 0.02, lm::Dtype::bf16, 1}, three{1, 0.02, lm::Dtype::bf16, 3};
    lm::ModelConfig model = model_of(lm::Family::llama);
    CHECK(bytes_of(random_tensors(model, table, one)[0]) ==
          bytes_of(random_tensors(model, table, three)[0]));
}

TEST_CASE("a norm begins as one that scales by one, whatever the family stores") {
    lm::WeightTable table(
        {lm::Weight{"norm.weight", {{{{{lm::Axis::hidden, 1}}}}}, -1, {}, {}, {}}});
    RandomWeights how{1, 0.02, lm::Dtype::f32, 1};
    float one = 1, zero = 0;
    auto begins = [&](lm::Family family) {
        return bytes_of(random_tensors(model_of(family), table, how)[0]);
    };
    CHECK(std::memcmp(begins(lm::Family::llama).data(), &one, 4) == 0);
    CHECK(std::memcmp(begins(lm::Family::gemma).data(), &zero, 4) == 0);
}

}  // namespace
