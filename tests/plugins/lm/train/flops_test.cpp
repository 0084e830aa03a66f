#include "plugins/lm/train/flops.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

struct Sizes {
    std::int64_t vocab, hidden, layers, heads, kv_heads, head_dim, width;
};

constexpr Sizes kLlama8b = {128256, 4096, 32, 32, 8, 128, 14336};
constexpr Sizes kQwen8b = {151936, 4096, 36, 32, 8, 128, 12288};
constexpr Sizes kQwen4b = {151936, 2560, 36, 32, 8, 128, 9728};
constexpr Sizes kQwen600m = {151936, 1024, 28, 16, 8, 128, 3072};

ModelConfig model_of(const Sizes& sizes) {
    ModelConfig model;
    model.vocab = sizes.vocab;
    model.hidden = sizes.hidden;
    Layer layer;
    layer.attention = Attention{sizes.heads, sizes.kv_heads, sizes.head_dim, {}, {}};
    layer.mlp = Mlp{sizes.width};
    model.layers.assign(static_cast<std::size_t>(sizes.layers), layer);
    return model;
}

/// With an attention backward of 2.5 forwards, as the published floors count.
double floor_gflops(const Sizes& sizes, std::int64_t sequence) {
    ModelConfig model = model_of(sizes);
    // It alone grows with the sequence, and in proportion.
    double attention = forward_flops(model, 2 * sequence) - forward_flops(model, sequence);
    return (training_flops(model, nullptr, sequence) + 0.5 * attention) / 1e9;
}

}  // namespace

TEST_CASE("a token of Llama 8B at 8192 costs 51.5 GFLOP, and 14,451 a second are 744 TFLOP/s") {
    double flops = training_flops(model_of(kLlama8b), nullptr, 8192);
    CHECK(flops / 1e9 == doctest::Approx(51.5).epsilon(0.001));
    CHECK(flops * 14451 / 1e12 == doctest::Approx(744).epsilon(0.001));
}

TEST_CASE("tokens of Qwen3 at 4096 cost what is published, alone and with a teacher") {
    CHECK(floor_gflops(kQwen600m, 4096) == doctest::Approx(5.2).epsilon(0.01));
    CHECK(floor_gflops(kQwen4b, 4096) == doctest::Approx(28.4).epsilon(0.01));
    CHECK(floor_gflops(kQwen8b, 4096) == doctest::Approx(49.6).epsilon(0.01));
    auto taught = [](const Sizes& teacher, const Sizes& student) {
        return floor_gflops(student, 4096) + forward_flops(model_of(teacher), 4096) / 1e9;
    };
    CHECK(taught(kQwen8b, kQwen4b) == doctest::Approx(44.7).epsilon(0.01));
    CHECK(taught(kQwen8b, kQwen600m) == doctest::Approx(21.6).epsilon(0.01));
    CHECK(taught(kQwen4b, kQwen600m) == doctest::Approx(14.5).epsilon(0.01));
}

TEST_CASE("a window and an absent block cost less") {
    ModelConfig model = model_of(kQwen600m), windowed = model, cut = model;
    for (Layer& layer : windowed.layers)
        layer.attention->window = 512;
    CHECK(forward_flops(windowed, 4096) < forward_flops(model, 4096));
    CHECK(forward_flops(windowed, 512) == forward_flops(model, 512));
    cut.layers[0].attention.reset();
    CHECK(forward_flops(cut, 4096) < forward_flops(model, 4096));
}

}  // namespace stillroom::lm
