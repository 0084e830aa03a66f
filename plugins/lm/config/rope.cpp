#include "plugins/lm/config/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace stillroom::lm {
namespace {

/// theta^(2i/r), each step rounded to fp32.
std::vector<float> wavelengths(const Rope& rope, double theta) {
    std::vector<float> out;
    for (std::int64_t i = 0; i < rope.rotary_dim; i += 2) {
        float exponent = static_cast<float>(i) / static_cast<float>(rope.rotary_dim);
        out.push_back(static_cast<float>(
            std::pow(static_cast<double>(static_cast<float>(theta)), double{exponent})));
    }
    return out;
}

/// NTK: a text longer than the model knows stretches the base.
double dynamic_theta(const Rope& rope, std::int64_t length) {
    double known = static_cast<double>(rope.original_length);
    double all = std::max(static_cast<double>(length), known);
    double r = static_cast<double>(rope.rotary_dim);
    return rope.theta * std::pow(rope.factor * all / known - (rope.factor - 1), r / (r - 2));
}

float llama3(const Rope& rope, float inverse) {
    float factor = static_cast<float>(rope.factor);
    float low = static_cast<float>(rope.low_freq_factor);
    float length = static_cast<float>(rope.original_length);
    float wave = static_cast<float>(2 * std::numbers::pi) / inverse;
    double original = static_cast<double>(rope.original_length);
    if (wave > static_cast<float>(original / rope.low_freq_factor))
        return inverse / factor;
    if (wave < static_cast<float>(original / rope.high_freq_factor))
        return inverse;
    float span = static_cast<float>(rope.high_freq_factor - rope.low_freq_factor);
    float smooth = (length / wave - low) / span;
    return (1 - smooth) * inverse / factor + smooth * inverse;
}

/// The dims between which YaRN passes from keeping a frequency to dividing it.
struct Ramp {
    double low, high;

    explicit Ramp(const Rope& rope) {
        double r = static_cast<double>(rope.rotary_dim);
        auto dim_of = [&](double turns) {
            double length = static_cast<double>(rope.original_length);
            return r * std::log(length / (turns * 2 * std::numbers::pi)) /
                   (2 * std::log(rope.theta));
        };
        low = dim_of(rope.beta_fast);
        high = dim_of(rope.beta_slow);
        if (rope.truncate) {
            low = std::floor(low);
            high = std::ceil(high);
        }
        low = std::max(low, 0.0);
        high = std::min(high, r - 1);
        if (low == high)
            high += 0.001;
    }

    float at(std::size_t i) const {
        float share =
            (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low);
        return std::clamp(share, 0.0F, 1.0F);
    }
};

}  // namespace

std::vector<float> inverse_frequencies(const Rope& rope, std::int64_t length) {
    bool dynamic = rope.scaling == RopeScaling::dynamic;
    std::vector<float> out = wavelengths(rope, dynamic ? dynamic_theta(rope, length) : rope.theta);
    if (rope.scaling == RopeScaling::yarn) {
        Ramp ramp(rope);
        float factor = static_cast<float>(rope.factor);
        for (std::size_t i = 0; i < out.size(); ++i) {
            float keep = 1 - ramp.at(i);
            out[i] = 1 / (factor * out[i]) * (1 - keep) + 1 / out[i] * keep;
        }
        return out;
    }
    for (float& value : out) {
        value = 1 / value;
        if (rope.scaling == RopeScaling::linear)
            value /= static_cast<float>(rope.factor);
        else if (rope.scaling == RopeScaling::llama3)
            value = llama3(rope, value);
    }
    return out;
}

std::vector<double> rope_factors(const Rope& rope) {
    Rope plain = rope;
    plain.scaling = RopeScaling::none;
    std::vector<float> unscaled = inverse_frequencies(plain), scaled = inverse_frequencies(rope);
    std::vector<double> out;
    for (std::size_t i = 0; i < scaled.size(); ++i)
        out.push_back(double{unscaled[i]} / double{scaled[i]});
    return out;
}

double yarn_attention_factor(double factor, double mscale, double mscale_all_dim) {
    auto m = [factor](double scale) {
        return factor <= 1 ? 1 : 0.1 * scale * std::log(factor) + 1;
    };
    return mscale != 0 && mscale_all_dim != 0 ? m(mscale) / m(mscale_all_dim) : m(1);
}

}  // namespace stillroom::lm
