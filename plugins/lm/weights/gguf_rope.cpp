#include "plugins/lm/weights/gguf_rope.h"

#include "plugins/lm/config/limits.h"
#include "plugins/lm/config/rope.h"
#include "plugins/lm/weights/quantized.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace stillroom::lm {
namespace {

constexpr std::string_view kFactors = "rope_freqs.weight";

std::vector<float> read_factors(const GgufFile& file,
                                const GgufTensor& tensor,
                                std::int64_t pairs) {
    if (tensor.shape != Shape{pairs} || tensor.type->id != kGgufF32)
        file.refuse(fmt::format("'{}' is {} in {}, not [{}] in F32",
                                kFactors,
                                to_string(tensor.shape),
                                tensor.type->name,
                                pairs));
    std::vector<float> factors(static_cast<std::size_t>(pairs));
    file.read(tensor, 0, std::as_writable_bytes(std::span(factors)));
    return factors;
}

bool has_factors(const Rope& rope, std::span<const float> factors) {
    std::vector<double> exact = rope_factors(rope);
    return std::equal(
        exact.begin(), exact.end(), factors.begin(), factors.end(), [](double a, float b) {
            return std::abs(a - double{b}) <= 2e-5 * a;
        });
}

Rope llama3(const Rope& plain, double factor, double high, double length) {
    Rope rope = plain;
    rope.scaling = RopeScaling::llama3;
    rope.factor = factor;
    rope.low_freq_factor = 1;
    rope.high_freq_factor = high;
    rope.original_length = static_cast<std::int64_t>(length);
    return rope;
}

}  // namespace

std::optional<Rope> llama3_of_factors(const Rope& plain, std::span<const float> factors) {
    double most = factors.empty() ? 1 : *std::max_element(factors.begin(), factors.end());
    if (!(most > 1) || !std::isfinite(most))
        return std::nullopt;
    double factor = shortest_decimal(most);
    // What all published models have, also where no factor lies between the two ends.
    Rope published = llama3(plain, factor, 4, 8192);
    if (has_factors(published, factors))
        return published;
    // Between the ends s = (length / wave - low) / (high - low) is a line over 1 / wave, and a
    // factor is 1 / ((1 - s) / factor + s): with low = 1, the line gives high and the length.
    double n = 0, sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
    for (std::size_t i = 0; i < factors.size(); ++i) {
        double of = factors[i];
        if (!(of > 1.0001) || !(of < most * 0.9999))
            continue;
        double wave = 2 * std::numbers::pi *
                      std::pow(plain.theta,
                               2 * static_cast<double>(i) / static_cast<double>(plain.rotary_dim));
        double x = 1 / wave, y = (1 / of - 1 / most) / (1 - 1 / most);
        n += 1;
        sum_x += x;
        sum_y += y;
        sum_xx += x * x;
        sum_xy += x * y;
    }
    double spread = n * sum_xx - sum_x * sum_x;
    if (n < 2 || !(spread > 0))
        return std::nullopt;
    double slope = (n * sum_xy - sum_x * sum_y) / spread;
    double start = (sum_y - slope * sum_x) / n;  // -low / (high - low)
    double high = start < 0 ? 1 - 1 / start : 0;
    double length = slope * (high - 1);
    double whole_high = std::round(high);
    if (std::abs(high - whole_high) < 0.01 * high) {
        length *= (whole_high - 1) / (high - 1);
        high = whole_high;
    }
    length = std::round(length);
    // A length is a round number: of the near ones the roundest.
    for (double step = 1; step <= length / 64; step *= 2)
        if (double near = std::round(length / step) * step;
            std::abs(near - length) <= 1e-3 * length &&
            has_factors(llama3(plain, factor, high, near), factors))
            length = near;
    if (!(high > 1) || !(length >= 1) || length > static_cast<double>(kMostPositions))
        return std::nullopt;
    Rope rope = llama3(plain, factor, high, length);
    return has_factors(rope, factors) ? std::optional(rope) : std::nullopt;
}

Rope gguf_rope(const GgufFile& file,
               const GgufKeys& keys,
               std::int64_t rotary_dim,
               std::int64_t max_positions) {
    Rope rope;
    rope.rotary_dim = rotary_dim;
    rope.theta = shortest_decimal(keys.number("rope.freq_base").value_or(10000));
    if (!std::isfinite(rope.theta) || rope.theta <= 1)
        file.refuse(fmt::format("{} is {}", keys.name("rope.freq_base"), rope.theta));
    std::string_view type = keys.text("rope.scaling.type").value_or("none");
    std::optional<double> factor = keys.number("rope.scaling.factor");
    std::optional<double> linear = keys.number("rope.scale_linear");  // what it was before
    std::optional<std::int64_t> original = keys.integer("rope.scaling.original_context_length");
    double fast = keys.number("rope.scaling.yarn_beta_fast").value_or(32);
    double slow = keys.number("rope.scaling.yarn_beta_slow").value_or(1);
    keys.skip("rope.scaling.finetuned");
    for (std::string_view key : {"attn_factor", "yarn_attn_factor", "yarn_ext_factor"})
        keys.only(fmt::format("rope.scaling.{}", key), 1);
    const GgufTensor* factors = file.tensor(kFactors);
    if (type == "none" && linear && *linear != 1) {
        type = "linear";
        factor = linear;
    }
    bool scaled = type == "linear" || type == "yarn";
    if (type != "none" && !scaled)
        file.refuse(fmt::format("RoPE of type '{}' is not supported", shown(type)),
                    "supported are none, linear, yarn, and llama3 by its factors");
    if (scaled && factors)
        file.refuse(fmt::format("RoPE is '{}' and has '{}' too", type, kFactors));
    if (factors) {
        std::optional<Rope> llama3 =
            llama3_of_factors(rope, read_factors(file, *factors, rotary_dim / 2));
        if (!llama3)
            file.refuse(
                fmt::format("the factors in '{}' are those of no llama3 scaling", kFactors));
        return *llama3;
    }
    if (!scaled || (type == "linear" && factor.value_or(1) == 1))
        return rope;
    if (!factor || !std::isfinite(*factor) || *factor <= 0)
        file.refuse(fmt::format("{} is missing, or not above 0", keys.name("rope.scaling.factor")));
    rope.factor = shortest_decimal(*factor);
    rope.scaling = type == "linear" ? RopeScaling::linear : RopeScaling::yarn;
    if (rope.scaling == RopeScaling::linear)
        return rope;
    rope.original_length = original.value_or(max_positions);
    if (rope.original_length < 1 || rope.original_length > kMostPositions || !(fast > 0) ||
        !(slow > 0) || !std::isfinite(fast) || !std::isfinite(slow))
        file.refuse(fmt::format(
            "yarn from {} positions with the betas {} and {}", rope.original_length, fast, slow));
    rope.beta_fast = shortest_decimal(fast);
    rope.beta_slow = shortest_decimal(slow);
    rope.attention_factor = yarn_attention_factor(rope.factor, 0, 0);
    return rope;
}

}  // namespace stillroom::lm
