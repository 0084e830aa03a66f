#include "plugins/lm/modules/mlp.h"

#include <ATen/ops/from_blob.h>
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

    at::Tensor y_TD = lm::mlp(view(x, {kTokens, kHidden}),
                              {.gate_proj = {.weight = view(gate, {kWidth, kHidden}), .bias = {}},
                               .up_proj = {.weight = view(up, {kWidth, kHidden}), .bias = {}},
                               .down_proj = {.weight = view(down, {kHidden, kWidth}), .bias = {}}},
                              lm::Activation::silu);

    REQUIRE(y_TD.dim() == 2);
    const float* y = y_TD.const_data_ptr<float>();
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
