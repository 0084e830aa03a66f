#include "plugins/lm/kernels/cross_entropy.h"
#include "plugins/lm/kernels/gated.h"
#include "plugins/lm/kernels/rms_norm.h"
#include "plugins/lm/kernels/rotate.h"
#include "plugins/lm/kernels/softmax.h"
#include "tests/plugins/lm/kernels/tiers.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

using namespace stillroom::lm;

namespace {

// Rows that end anywhere in a vector, of any width.
constexpr std::size_t kCounts[] = {1, 3, 4, 7, 8, 15, 16, 17, 31, 48, 100, 577};

Bf16 half_of(float value) {
    auto bits = std::bit_cast<std::uint32_t>(value);
    return {static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

float float_of(Bf16 half) {
    return std::bit_cast<float>(std::uint32_t{half.bits} << 16);
}

std::vector<Bf16> halves_of(const std::vector<float>& values) {
    std::vector<Bf16> out;
    for (float value : values)
        out.push_back(half_of(value));
    return out;
}

/// What bf16 keeps of each.
std::vector<float> kept_of(std::vector<float> values) {
    for (float& value : values)
        value = float_of(half_of(value));
    return values;
}

}  // namespace

TEST_CASE("the sum of a row is that of its twin on every tier, in parts too") {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    for (Tier tier : tiers())
        for (std::size_t count : {2, 5, 16, 33, 4096, 4097, 50257}) {
            CAPTURE(static_cast<int>(tier));
            CAPTURE(count);
            std::vector<float> row = wave(count, 0.37, 30);
            auto found = [&](std::size_t part) {
                RowSum sum;
                for (std::size_t i = 0; i < count; i += part)
                    add_logits(tier, row.data() + i, std::min(part, count - i), sum);
                return sum.log();
            };
            double expected = log_sum_plain(row.data(), count);
            for (std::size_t part : {count, count / 2, count / 3 + 1})
                CHECK(found(part) == doctest::Approx(expected).epsilon(1e-7));
            row[0] = -kInfinity;
            expected = log_sum_plain(row.data(), count);
            CHECK(found(count) == doctest::Approx(expected).epsilon(1e-7));
            CHECK(found(1 + count / 100) == doctest::Approx(expected).epsilon(1e-7));
            row[count - 1] = std::numeric_limits<float>::quiet_NaN();
            CHECK(std::isnan(found(count)));
        }
    RowSum none;
    std::vector<float> masked(20, -kInfinity);
    add_logits(best_tier(), masked.data(), 20, none);
    CHECK(none.sum == 0);
}

TEST_CASE("shares of a row are its twin's on every tier, and none lies outside the part") {
    for (Tier tier : tiers())
        for (std::size_t count : kCounts)
            for (std::size_t begin : {std::size_t{0}, count / 3}) {
                CAPTURE(static_cast<int>(tier));
                std::vector<float> found = wave(count, 0.7, 20), expected = found;
                std::size_t end = count - (count - begin) / 4;
                softmax_part(tier, found.data(), begin, end, count, 0.5F);
                softmax_part_plain(expected.data(), begin, end, count, 0.5F);
                for (std::size_t i = 0; i < count; i++)
                    CHECK(std::abs(found[i] - expected[i]) <= 1e-6);
            }
}

TEST_CASE("a row over its root mean square is that of its twin on every tier") {
    for (Tier tier : tiers())
        for (std::size_t columns : kCounts)
            for (bool plus_one : {false, true}) {
                CAPTURE(static_cast<int>(tier));
                CAPTURE(columns);
                RmsNorm norm{.columns = columns, .eps = 1e-5F, .plus_one = plus_one};
                std::vector<float> x = kept_of(wave(3 * columns, 0.7, 4)),
                                   w = kept_of(wave(columns, 1.3, 1)), found(x.size()),
                                   expected(x.size());
                rms_norm(tier, norm, x.data(), w.data(), found.data(), 3);
                for (std::size_t row = 0; row < 3; row++)
                    rms_norm_plain(
                        norm, x.data() + row * columns, w.data(), expected.data() + row * columns);
                std::vector<Bf16> half_x = halves_of(x), half_w = halves_of(w);
                rms_norm(tier, norm, half_x.data(), half_w.data(), half_x.data(), 3);
                for (std::size_t i = 0; i < x.size(); i++) {
                    CHECK(found[i] == doctest::Approx(expected[i]).epsilon(2e-6));
                    CHECK(float_of(half_x[i]) == doctest::Approx(expected[i]).epsilon(0.008));
                }
            }
}

TEST_CASE("a gate is that of its twin on every tier, far out too") {
    for (Tier tier : tiers())
        for (Gate gate : {Gate::silu, Gate::gelu_tanh})
            for (std::size_t count : kCounts) {
                CAPTURE(static_cast<int>(tier));
                std::vector<float> a = kept_of(wave(count, 0.9, 12)),
                                   b = kept_of(wave(count, 0.4, 3)), found(count);
                a[0] = 1000;
                a[count - 1] = -1000;
                gated(tier, gate, a.data(), b.data(), found.data(), count);
                std::vector<Bf16> half_a = halves_of(a), half_b = halves_of(b);
                gated(tier, gate, half_a.data(), half_b.data(), half_a.data(), count);
                for (std::size_t i = 0; i < count; i++) {
                    double expected = gated_plain(gate, a[i], b[i]);
                    CAPTURE(a[i]);
                    CHECK(std::abs(found[i] - expected) <=
                          1e-6 * std::abs(expected) + 1e-7 * std::abs(b[i]));
                    if (i > 0 && i + 1 < count)
                        CHECK(std::abs(float_of(half_a[i]) - expected) <=
                              0.008 * std::abs(expected) + 1e-6);
                }
            }
}

TEST_CASE("heads turn as their twin's on every tier, and what does not turn stays") {
    for (Tier tier : tiers())
        for (std::size_t half : {2, 4, 6, 8, 16, 32, 40})
            for (std::size_t rest : {0, 5}) {
                CAPTURE(static_cast<int>(tier));
                HeadShape shape{.heads = 3, .dim = 2 * half + rest, .half = half};
                std::size_t tokens = 2, size = tokens * shape.heads * shape.dim;
                std::vector<float> x = kept_of(wave(size, 0.7, 2)),
                                   cos = kept_of(wave(tokens * half, 0.3, 1)),
                                   sin = kept_of(wave(tokens * half, 0.5, 1)), found(size),
                                   expected(size);
                rotate_heads(tier, shape, x.data(), cos.data(), sin.data(), found.data(), tokens);
                for (std::size_t i = 0; i < tokens * shape.heads; i++)
                    rotate_head_plain(shape,
                                      x.data() + i * shape.dim,
                                      cos.data() + i / shape.heads * half,
                                      sin.data() + i / shape.heads * half,
                                      expected.data() + i * shape.dim);
                std::vector<Bf16> half_x = halves_of(x), half_cos = halves_of(cos),
                                  half_sin = halves_of(sin);
                rotate_heads(tier,
                             shape,
                             half_x.data(),
                             half_cos.data(),
                             half_sin.data(),
                             half_x.data(),
                             tokens);
                for (std::size_t i = 0; i < size; i++) {
                    CHECK(std::abs(found[i] - expected[i]) <= 1e-6);
                    CHECK(std::abs(float_of(half_x[i]) - expected[i]) <= 0.02);
                }
            }
}

TEST_CASE("rounding to bf16 goes to the nearest, ties to even, and a NaN stays one") {
    for (Tier tier : tiers()) {
        // gated() with a gate of a = 1000 (silu: a itself) rounds a·b
        auto rounded = [&](float a, float b) {
            Bf16 x = half_of(a), y = half_of(b), out{};
            gated(tier, Gate::silu, &x, &y, &out, 1);
            return float_of(out);
        };
        CHECK(rounded(128, 1.0078125F) == 129);
        CHECK(rounded(129, 1.0078125F) == 130);  // 130.0078
        CHECK(rounded(257.0F, 1.0F) == 256);     // a tie already in the input
        CHECK(rounded(131, 1.5F) == 196);        // 196.5: to even
        CHECK(rounded(129, 1.5F) == 194);        // 193.5: to even
        CHECK(std::isnan(rounded(std::numeric_limits<float>::quiet_NaN(), 1)));
        CHECK(std::isinf(rounded(3e38F, 3e38F)));
    }
}
