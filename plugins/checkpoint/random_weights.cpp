#include "plugins/checkpoint/random_weights.h"

#include "engine/base/sha256.h"
#include "plugins/checkpoint/pieces.h"
#include "plugins/lm/weights/convert.h"
#include "plugins/lm/weights/random.h"

#include <array>
#include <cmath>

namespace stillroom::checkpoint {
namespace {

/// The natural logarithm of 0 < x < 1 by sums and products alone: no two C libraries agree on the
/// last bit of std::log, and models of one seed are to be the same everywhere.
double exact_log(double x) {
    int exponent = 0;
    double part = std::frexp(x, &exponent);  // [0.5, 1)
    if (part < 0.70710678118654752) {
        part *= 2;
        --exponent;
    }
    const double ratio = (part - 1) / (part + 1), square = ratio * ratio;
    double sum = 0;
    for (int term = 25; term >= 1; term -= 2)
        sum = sum * square + 1.0 / term;
    return 2 * ratio * sum + exponent * 0.69314718055994530942;
}

double polynomial(std::span<const double> coefficients, double x) {
    double out = 0;
    for (std::size_t i = coefficients.size(); i-- > 0;)
        out = out * x + coefficients[i];
    return out;
}

// Wichura's algorithm AS 241 (1988), good to 16 digits.
constexpr std::array kCenterAbove = {3.3871328727963666080e0,
                                     1.3314166789178437745e+2,
                                     1.9715909503065514427e+3,
                                     1.3731693765509461125e+4,
                                     4.5921953931549871457e+4,
                                     6.7265770927008700853e+4,
                                     3.3430575583588128105e+4,
                                     2.5090809287301226727e+3};
constexpr std::array kCenterBelow = {1.0,
                                     4.2313330701600911252e+1,
                                     6.8718700749205790830e+2,
                                     5.3941960214247511077e+3,
                                     2.1213794301586595867e+4,
                                     3.9307895800092710610e+4,
                                     2.8729085735721942674e+4,
                                     5.2264952788528545610e+3};
constexpr std::array kMiddleAbove = {1.42343711074968357734e0,
                                     4.63033784615654529590e0,
                                     5.76949722146069140550e0,
                                     3.64784832476320460504e0,
                                     1.27045825245236838258e0,
                                     2.41780725177450611770e-1,
                                     2.27238449892691845833e-2,
                                     7.74545014278341407640e-4};
constexpr std::array kMiddleBelow = {1.0,
                                     2.05319162663775882187e0,
                                     1.67638483018380384940e0,
                                     6.89767334985100004550e-1,
                                     1.48103976427480074590e-1,
                                     1.51986665636164571966e-2,
                                     5.47593808499534494600e-4,
                                     1.05075007164441684324e-9};
constexpr std::array kFarAbove = {6.65790464350110377720e0,
                                  5.46378491116411436990e0,
                                  1.78482653991729133580e0,
                                  2.96560571828504891230e-1,
                                  2.65321895265761230930e-2,
                                  1.24266094738807843860e-3,
                                  2.71155556874348757815e-5,
                                  2.01033439929228813265e-7};
constexpr std::array kFarBelow = {1.0,
                                  5.99832206555887937690e-1,
                                  1.36929880922735805310e-1,
                                  1.48753612908506148525e-2,
                                  7.86869131145613259100e-4,
                                  1.84631831751005468180e-5,
                                  1.42151175831644588870e-7,
                                  2.04426310338993978564e-15};

/// The stream of a tensor: 64 bits of its name's hash beside the seed.
struct Stream {
    std::array<std::uint32_t, 2> key;  // the seed
    std::array<std::uint32_t, 2> name;
};

Stream stream_of(std::int64_t seed, std::string_view name) {
    std::string hex = sha256_hex(name);
    auto word = [&](std::size_t at) {
        return static_cast<std::uint32_t>(std::stoul(hex.substr(at, 8), nullptr, 16));
    };
    auto bits = static_cast<std::uint64_t>(seed);
    return {{static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(bits >> 32)},
            {word(0), word(8)}};
}

void fill(const Stream& stream, std::uint64_t first, std::span<float> into, double std) {
    std::array<std::uint32_t, 4> four{};
    std::uint64_t block = ~std::uint64_t{0};
    for (std::size_t i = 0; i < into.size(); ++i) {
        const std::uint64_t place = first + i;
        if (place / 4 != block) {
            block = place / 4;
            four = lm::philox({static_cast<std::uint32_t>(block),
                               static_cast<std::uint32_t>(block >> 32),
                               stream.name[0],
                               stream.name[1]},
                              stream.key);
        }
        const double p = (four[place % 4] + 0.5) * 0x1p-32;
        into[i] = static_cast<float>(std * normal_quantile(p));
    }
}

/// What a tensor of one dimension begins as.
float constant_of(const lm::ModelConfig& model, const lm::Weight& weight) {
    return weight.name.ends_with(".bias") || model.norm != lm::Norm::rms ? 0 : 1;
}

void write_constant(float value, std::size_t count, lm::Dtype dtype, const lm::WriteBytes& write) {
    std::vector<float> values(count, value);
    std::vector<std::byte> bytes(count * static_cast<std::size_t>(lm::bits_of(dtype)) / 8);
    lm::convert(lm::Dtype::f32, std::as_bytes(std::span(values)), dtype, bytes);
    write(bytes);
}

void write_normal(const RandomWeights& how,
                  const std::string& name,
                  std::size_t count,
                  const lm::WriteBytes& write) {
    const Stream stream = stream_of(how.seed, name);
    in_pieces(
        count,
        how.threads,
        [&](std::size_t first, std::size_t some) {
            std::vector<float> values(some);
            fill(stream, first, values, how.std);
            std::vector<std::byte> bytes(some * static_cast<std::size_t>(lm::bits_of(how.dtype)) /
                                         8);
            lm::convert(lm::Dtype::f32, std::as_bytes(std::span(values)), how.dtype, bytes);
            return bytes;
        },
        [&](const std::vector<std::byte>& bytes) { write(bytes); });
}

}  // namespace

double normal_quantile(double p) {
    const double q = p - 0.5;
    if (q >= -0.425 && q <= 0.425) {
        const double r = 0.180625 - q * q;
        return q * polynomial(kCenterAbove, r) / polynomial(kCenterBelow, r);
    }
    double r = std::sqrt(-exact_log(q < 0 ? p : 1 - p));
    double out;
    if (r <= 5) {
        r -= 1.6;
        out = polynomial(kMiddleAbove, r) / polynomial(kMiddleBelow, r);
    } else {
        r -= 5;
        out = polynomial(kFarAbove, r) / polynomial(kFarBelow, r);
    }
    return q < 0 ? -out : out;
}

void fill_normal(std::int64_t seed,
                 std::string_view name,
                 std::uint64_t first,
                 std::span<float> into,
                 double std) {
    fill(stream_of(seed, name), first, into, std);
}

std::vector<lm::NewTensor> random_tensors(const lm::ModelConfig& model,
                                          const lm::WeightTable& table,
                                          const RandomWeights& how) {
    std::vector<lm::NewTensor> out;
    for (const lm::Weight& weight : table) {
        lm::NewTensor tensor;
        tensor.info.name = weight.name;
        tensor.info.dtype = how.dtype;
        tensor.info.shape = weight.shape();
        const auto count = static_cast<std::size_t>(weight.count());
        if (weight.dims.size() == 1)
            tensor.make = [value = constant_of(model, weight), count, dtype = how.dtype](
                              const lm::WriteBytes& write) {
                write_constant(value, count, dtype, write);
            };
        else
            tensor.make = [how, name = weight.name, count](const lm::WriteBytes& write) {
                write_normal(how, name, count, write);
            };
        out.push_back(std::move(tensor));
    }
    return out;
}

}  // namespace stillroom::checkpoint
