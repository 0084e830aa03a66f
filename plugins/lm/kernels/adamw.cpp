#include "plugins/lm/kernels/adamw.h"

#include <algorithm>
#include <cmath>

namespace stillroom::lm {
namespace {

struct Buffers {
    float *master, *mean, *square;
    const float* gradient;
    Bf16* rounded;
    std::size_t count;
};

/// To 2e-7 of itself. By Newton's steps from a guess at 1/√x: the compiler makes no vector of
/// sqrtf.
template <class Floats>
STILLROOM_INLINE void root(Floats& x) {
    using Words = typename Beside<Floats>::Words;
    Words bits;
    std::memcpy(&bits, &x, sizeof bits);
    bits = 0x5f375a86 - (bits >> 1);
    Floats y;
    std::memcpy(&y, &bits, sizeof y);
    Floats half = x * 0.5F;
    for (int i = 0; i < 3; i++)
        y = y * (1.5F - half * y * y);
    x *= y;
}

template <class Floats>
STILLROOM_INLINE void adamw_body(const AdamwFactors& a, const Buffers& b, double& sum) {
    constexpr std::size_t lanes = kLanes<Floats>;
    for (std::size_t begin = 0; begin < b.count; begin += kSquareBlock) {
        std::size_t end = std::min(begin + kSquareBlock, b.count);
        Floats squares = Floats{};
        for (std::size_t i = begin; i < end; i += lanes) {
            std::size_t elements = std::min(lanes, end - i);
            Floats p, m, v, g;
            load_part(p, b.master + i, elements);
            load_part(m, b.mean + i, elements);
            load_part(v, b.square + i, elements);
            load_part(g, b.gradient + i, elements);
            g *= a.factor;
            m = m * a.beta1 + g * (1 - a.beta1);
            v = v * a.beta2 + g * g * (1 - a.beta2);
            Floats divisor = v;
            root(divisor);
            divisor = divisor * a.unbiased + a.eps;
            p = p * a.kept - m * a.rate / divisor;
            store_part(b.mean + i, m, elements);
            store_part(b.square + i, v, elements);
            store_part(b.master + i, p, elements);
            if (elements < lanes)
                load_part(p, b.master + i, elements);  // the lanes beside them may be no numbers
            squares += p * p;
            if (b.rounded != nullptr)
                store_part(b.rounded + i, p, elements);
        }
        sum += double{sum_of(squares)};
    }
}

template <class Floats>
STILLROOM_INLINE void squares_body(const float* x, std::size_t count, double& sum) {
    constexpr std::size_t lanes = kLanes<Floats>;
    for (std::size_t begin = 0; begin < count; begin += kSquareBlock) {
        std::size_t end = std::min(begin + kSquareBlock, count);
        Floats squares = Floats{}, y;
        for (std::size_t i = begin; i < end; i += lanes) {
            load_part(y, x + i, std::min(lanes, end - i));
            squares += y * y;
        }
        sum += double{sum_of(squares)};
    }
}

STILLROOM_TIERS(adamw_floats,
                (const AdamwFactors& a, const Buffers& b, double& sum),
                adamw_body,
                (a, b, sum))
STILLROOM_TIERS(add_squares,
                (const float* x, std::size_t count, double& sum),
                squares_body,
                (x, count, sum))

}  // namespace

AdamwFactors factors_of(const AdamwStep& step) {
    auto steps = static_cast<double>(step.step);
    return {.beta1 = static_cast<float>(step.beta1),
            .beta2 = static_cast<float>(step.beta2),
            .eps = static_cast<float>(step.eps),
            .factor = static_cast<float>(step.factor),
            .kept = static_cast<float>(1 - step.lr * step.decay),
            .rate = static_cast<float>(step.lr / (1 - std::pow(step.beta1, steps))),
            .unbiased = static_cast<float>(1 / std::sqrt(1 - std::pow(step.beta2, steps)))};
}

double adamw(Tier tier,
             const AdamwStep& step,
             float* master,
             float* mean,
             float* square,
             const float* gradient,
             Bf16* rounded,
             std::size_t count) {
    double sum = 0;
    adamw_floats_of(tier)(factors_of(step),
                          {.master = master,
                           .mean = mean,
                           .square = square,
                           .gradient = gradient,
                           .rounded = rounded,
                           .count = count},
                          sum);
    return sum;
}

void adamw_plain(
    const AdamwStep& step, double& parameter, double& mean, double& square, double gradient) {
    auto steps = static_cast<double>(step.step);
    double g = step.factor * gradient;
    mean = step.beta1 * mean + (1 - step.beta1) * g;
    square = step.beta2 * square + (1 - step.beta2) * g * g;
    double unbiased_mean = mean / (1 - std::pow(step.beta1, steps)),
           unbiased_square = square / (1 - std::pow(step.beta2, steps));
    parameter -= step.lr * step.decay * parameter +
                 step.lr * unbiased_mean / (std::sqrt(unbiased_square) + step.eps);
}

double sum_of_squares(Tier tier, const float* x, std::size_t count) {
    double sum = 0;
    add_squares_of(tier)(x, count, sum);
    return sum;
}

double clip_factor(double norm, double most) {
    return std::min(1.0, most / (norm + 1e-6));
}

}  // namespace stillroom::lm
