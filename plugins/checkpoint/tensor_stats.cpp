#include "plugins/checkpoint/tensor_stats.h"

#include "plugins/checkpoint/pieces.h"
#include "plugins/checkpoint/raw_bytes.h"
#include "plugins/lm/weights/convert.h"

#include <cmath>
#include <limits>

namespace stillroom::checkpoint {
namespace {

struct Sums {
    double least = std::numeric_limits<double>::infinity();
    double most = -std::numeric_limits<double>::infinity();
    double sum = 0, squares = 0;
    std::uint64_t zeros = 0, nan = 0, infinite = 0, finite = 0;
};

Sums sums_of(std::span<const float> values) {
    Sums out;
    for (float value : values) {
        if (std::isnan(value)) {
            ++out.nan;
            continue;
        }
        if (std::isinf(value)) {
            ++out.infinite;
            continue;
        }
        double number = value;
        out.least = std::min(out.least, number);
        out.most = std::max(out.most, number);
        out.sum += number;
        out.squares += number * number;
        out.zeros += number == 0;
        ++out.finite;
    }
    return out;
}

void add(Sums& to, const Sums& more) {
    to.least = std::min(to.least, more.least);
    to.most = std::max(to.most, more.most);
    to.sum += more.sum;
    to.squares += more.squares;
    to.zeros += more.zeros;
    to.nan += more.nan;
    to.infinite += more.infinite;
    to.finite += more.finite;
}

}  // namespace

TensorStats stats_of(const lm::FolderTensor& tensor, unsigned threads) {
    const lm::Dtype type = tensor.info->dtype;
    if (!lm::is_convertible(type) || lm::bits_of(type) < 8)
        return {};
    const std::size_t size = static_cast<std::size_t>(lm::bits_of(type)) / 8;
    const std::span<const std::byte> bytes = raw_bytes(tensor);
    Sums sums;
    in_pieces(
        bytes.size() / size,
        threads,
        [&](std::size_t first, std::size_t count) {
            std::vector<float> values(count);
            lm::convert(type,
                        bytes.subspan(first * size, count * size),
                        lm::Dtype::f32,
                        std::as_writable_bytes(std::span(values)));
            forget(tensor, first * size, count * size);
            return sums_of(values);
        },
        [&](const Sums& more) { add(sums, more); });
    tensor.file->check();
    TensorStats out{0, 0, 0, 0, sums.zeros, sums.nan, sums.infinite, sums.finite};
    if (sums.finite == 0)
        return out;
    auto count = static_cast<double>(sums.finite);
    out.least = sums.least;
    out.most = sums.most;
    out.mean = sums.sum / count;
    out.rms = std::sqrt(sums.squares / count);
    return out;
}

}  // namespace stillroom::checkpoint
