#include "plugins/lm/kernels/device_kernels.h"

#include "plugins/lm/kernels/adamw.h"
#include "plugins/lm/kernels/gated.h"
#include "plugins/lm/kernels/rotate.h"
#include "tests/plugins/lm/kernels/kernel_places.h"
#include "tests/plugins/lm/kernels/tiers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <doctest/doctest.h>

#include <limits>

using namespace stillroom::lm;

namespace {

at::Tensor waves(std::int64_t count, double step, double size, at::ScalarType type = at::kFloat) {
    std::vector<float> numbers = wave(static_cast<std::size_t>(count), step, size);
    return at::from_blob(numbers.data(), {count}, at::kFloat).to(type).clone();
}

const Bf16* halves(const at::Tensor& x) {
    return static_cast<const Bf16*>(x.const_data_ptr());
}
Bf16* mutable_halves(const at::Tensor& x) {
    return static_cast<Bf16*>(x.mutable_data_ptr());
}

double widest_gap(const at::Tensor& found, const at::Tensor& expected) {
    return (found.cpu().to(at::kDouble) - expected.to(at::kDouble)).abs().max().item<double>();
}

/// A tensor on the device, as long as the test.
at::Tensor there(const KernelPlace& place, const at::Tensor& x) {
    return x.to(place.device).clone();
}

constexpr std::int64_t kCounts[] = {1, 7, 8, 33, 4099};
constexpr at::ScalarType kTypes[] = {at::kFloat, at::kBFloat16};

}  // namespace

TEST_CASE("a device updates flat buffers as the CPU does, and lines that do not decay do not") {
    for (const KernelPlace& place : kernel_places()) {
        CAPTURE(place.name);
        std::int64_t lines = 301, count = 16 * lines;
        at::Tensor master = waves(count, 0.7, 2), mean = at::zeros({count}), square = mean.clone(),
                   rounded = at::zeros({count}, at::kBFloat16),
                   decays = at::zeros({lines}, at::kByte);
        decays.narrow(0, 100, 101).fill_(1);
        at::Tensor d_master = there(place, master), d_mean = there(place, mean),
                   d_square = there(place, square), d_rounded = there(place, rounded),
                   d_decays = there(place, decays);
        AdamwStep step{.lr = 0.01, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .decay = 0.1};
        step.factor = 0.5;
        for (step.step = 1; step.step <= 5; step.step++) {
            at::Tensor gradient = waves(count, 0.3 + 0.1 * static_cast<double>(step.step), 0.1);
            for (std::int64_t line = 0; line < lines; line++) {
                AdamwStep how = step;
                how.decay = decays[line].item<int>() != 0 ? step.decay : 0;
                adamw(best_tier(),
                      how,
                      master.mutable_data_ptr<float>() + 16 * line,
                      mean.mutable_data_ptr<float>() + 16 * line,
                      square.mutable_data_ptr<float>() + 16 * line,
                      gradient.const_data_ptr<float>() + 16 * line,
                      mutable_halves(rounded) + 16 * line,
                      16);
            }
            at::Tensor d_gradient = there(place, gradient);
            FlatUpdate all{.master = d_master.mutable_data_ptr<float>(),
                           .mean = d_mean.mutable_data_ptr<float>(),
                           .square = d_square.mutable_data_ptr<float>(),
                           .gradient = d_gradient.const_data_ptr<float>(),
                           .rounded = static_cast<std::uint16_t*>(d_rounded.mutable_data_ptr()),
                           .decays = d_decays.const_data_ptr<std::uint8_t>(),
                           .count = count,
                           .by = factors_of(step)};
            REQUIRE(place.kernels->adamw(all, nullptr) == 0);
        }
        CHECK(widest_gap(d_master, master) <= 1e-6);
        CHECK(widest_gap(d_mean, mean) <= 1e-7);
        CHECK(widest_gap(d_square, square) <= 1e-9);
        CHECK(d_rounded.cpu().equal(d_master.cpu().to(at::kBFloat16)));
    }
}

TEST_CASE("a device sums the squares of the lines that count, and shows what is no number") {
    for (const KernelPlace& place : kernel_places()) {
        CAPTURE(place.name);
        for (std::int64_t lines : {1, 5, 1000}) {
            at::Tensor x = waves(16 * lines, 0.7, 3), counted = at::zeros({lines}, at::kByte);
            counted.narrow(0, 0, (lines + 1) / 2).fill_(1);
            auto sum_of = [&] {
                at::Tensor d_x = there(place, x), d_counted = there(place, counted),
                           sums = at::zeros({kSquareParts}, d_x.options().dtype(at::kDouble));
                REQUIRE(place.kernels->square_sums(d_x.const_data_ptr<float>(),
                                                   d_counted.const_data_ptr<std::uint8_t>(),
                                                   x.numel(),
                                                   sums.mutable_data_ptr<double>(),
                                                   nullptr) == 0);
                return sums.sum().item<double>();
            };
            double expected =
                x.narrow(0, 0, (lines + 1) / 2 * 16).to(at::kDouble).square().sum().item<double>();
            CHECK(sum_of() == doctest::Approx(expected).epsilon(1e-12));
            x[15] = std::numeric_limits<float>::quiet_NaN();
            CHECK(std::isnan(sum_of()));
        }
    }
}

TEST_CASE("a device gates as the CPU does, forward and back, of any length") {
    for (const KernelPlace& place : kernel_places())
        for (at::ScalarType type : kTypes)
            for (Gate gate : {Gate::silu, Gate::gelu_tanh})
                for (std::int64_t count : kCounts) {
                    CAPTURE(place.name);
                    CAPTURE(count);
                    bool is_half = type == at::kBFloat16;
                    at::Tensor a = waves(count, 0.37, 4, type), b = waves(count, 0.53, 3, type),
                               dy = waves(count, 0.71, 2, type), out = at::zeros_like(a),
                               da = at::zeros_like(a), db = at::zeros_like(a);
                    auto n = static_cast<std::size_t>(count);
                    if (is_half) {
                        gated(best_tier(), gate, halves(a), halves(b), mutable_halves(out), n);
                        gated_backward(best_tier(),
                                       gate,
                                       halves(a),
                                       halves(b),
                                       halves(dy),
                                       mutable_halves(da),
                                       mutable_halves(db),
                                       n);
                    } else {
                        gated(best_tier(),
                              gate,
                              a.const_data_ptr<float>(),
                              b.const_data_ptr<float>(),
                              out.mutable_data_ptr<float>(),
                              n);
                        gated_backward(best_tier(),
                                       gate,
                                       a.const_data_ptr<float>(),
                                       b.const_data_ptr<float>(),
                                       dy.const_data_ptr<float>(),
                                       da.mutable_data_ptr<float>(),
                                       db.mutable_data_ptr<float>(),
                                       n);
                    }
                    at::Tensor d_a = there(place, a), d_b = there(place, b),
                               d_dy = there(place, dy), d_out = at::zeros_like(d_a),
                               d_da = at::zeros_like(d_a), d_db = at::zeros_like(d_a);
                    GatedRange range{.a = d_a.const_data_ptr(),
                                     .b = d_b.const_data_ptr(),
                                     .dy = d_dy.const_data_ptr(),
                                     .out = d_out.mutable_data_ptr(),
                                     .da = d_da.mutable_data_ptr(),
                                     .db = d_db.mutable_data_ptr(),
                                     .count = count,
                                     .halves = is_half,
                                     .silu = gate == Gate::silu};
                    REQUIRE(place.kernels->gated(range, nullptr) == 0);
                    REQUIRE(place.kernels->gated_backward(range, nullptr) == 0);
                    double most = is_half ? 0.13 : 2e-5;  // two units of bf16 at 16
                    CHECK(widest_gap(d_out, out) <= most);
                    CHECK(widest_gap(d_da, da) <= most);
                    CHECK(widest_gap(d_db, db) <= most);
                }
}

TEST_CASE(
    "a device turns heads as the CPU does, bf16 to the last bit, and leaves what does not turn") {
    for (const KernelPlace& place : kernel_places())
        for (at::ScalarType type : kTypes)
            for (std::int64_t half : {2, 4, 5}) {
                CAPTURE(place.name);
                CAPTURE(half);
                std::int64_t tokens = 5, heads = 3, dim = 10;
                at::Tensor x = waves(tokens * heads * dim, 0.37, 4, type),
                           cos = waves(tokens * half, 0.9, 1, type),
                           sin = waves(tokens * half, 1.3, 1, type), out = at::zeros_like(x);
                HeadShape shape{.heads = 3, .dim = 10, .half = static_cast<std::size_t>(half)};
                if (type == at::kBFloat16)
                    rotate_heads(best_tier(),
                                 shape,
                                 halves(x),
                                 halves(cos),
                                 halves(sin),
                                 mutable_halves(out),
                                 5);
                else
                    rotate_heads(Tier::baseline,  // without fused multiply-adds
                                 shape,
                                 x.const_data_ptr<float>(),
                                 cos.const_data_ptr<float>(),
                                 sin.const_data_ptr<float>(),
                                 out.mutable_data_ptr<float>(),
                                 5);
                at::Tensor d_x = there(place, x), d_cos = there(place, cos),
                           d_sin = there(place, sin), d_out = at::zeros_like(d_x);
                REQUIRE(place.kernels->rotate({.x = d_x.const_data_ptr(),
                                               .cos = d_cos.const_data_ptr(),
                                               .sin = d_sin.const_data_ptr(),
                                               .out = d_out.mutable_data_ptr(),
                                               .tokens = tokens,
                                               .heads = heads,
                                               .dim = dim,
                                               .half = half,
                                               .halves = type == at::kBFloat16},
                                              nullptr) == 0);
                if (type == at::kBFloat16)
                    CHECK(d_out.cpu().equal(out));
                else
                    CHECK(widest_gap(d_out, out) <= 1e-6);
            }
}
