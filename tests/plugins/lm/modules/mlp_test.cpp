#include "plugins/lm/modules/mlp.h"

#include "engine/base/error.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace stillroom;

namespace {

/// Small numbers without a pattern that a transposed weight would survive.
std::vector<float> numbers(int count, int seed) {
    std::vector<float> values;
    for (int i = 0; i < count; i++)
        values.push_back(static_cast<float>((i * 37 + seed * 11) % 23 - 11) / 8);
    return values;
}

at::Tensor view(std::vector<float>& values, std::vector<int64_t> shape) {
    return at::from_blob(values.data(), shape);
}

}  // namespace

TEST_CASE("the feed-forward equals its formula written as loops") {
    constexpr int kTokens = 3, kHidden = 4, kWidth = 5;
    std::vector<float> x = numbers(kTokens * kHidden, 1);
    std::vector<float> gate = numbers(kWidth * kHidden, 2);
    std::vector<float> up = numbers(kWidth * kHidden, 3);
    std::vector<float> down = numbers(kHidden * kWidth, 4);

    at::Tensor y_BTD = lm::mlp(view(x, {1, kTokens, kHidden}),
                               {.gate_FD = view(gate, {kWidth, kHidden}),
                                .up_FD = view(up, {kWidth, kHidden}),
                                .down_DF = view(down, {kHidden, kWidth})});

    REQUIRE(y_BTD.dim() == 3);
    const float* y = y_BTD.const_data_ptr<float>();
    for (int t = 0; t < kTokens; t++) {
        for (int d = 0; d < kHidden; d++) {
            double expected = 0;
            for (int f = 0; f < kWidth; f++) {
                double g = 0, u = 0;
                for (int i = 0; i < kHidden; i++) {
                    g += gate[f * kHidden + i] * x[t * kHidden + i];
                    u += up[f * kHidden + i] * x[t * kHidden + i];
                }
                expected += down[d * kWidth + f] * (g / (1 + std::exp(-g))) * u;
            }
            CHECK(y[t * kHidden + d] == doctest::Approx(expected).epsilon(1e-5));
        }
    }
}

TEST_CASE("a weight of another shape is named, and the Error is caught by its type") {
    lm::MlpWeights weights{
        .gate_FD = at::zeros({5, 4}), .up_FD = at::zeros({4, 5}), .down_DF = at::zeros({4, 5})};
    std::string message;
    try {
        lm::mlp(at::zeros({2, 4}), weights);
    } catch (const Error& error) {
        message = error.what();
    }
    CHECK(message == "'up_proj.weight' is 4 x 5, expected 5 x 4");
}
