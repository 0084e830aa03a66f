#include "plugins/lm/modules/narrow_linear.h"

#include "engine/base/error.h"
#include "plugins/lm/kernels/few_rows.h"
#include "plugins/lm/kernels/panel_product.h"
#include "plugins/lm/modules/fused.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/util/StringUtil.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace stillroom::lm {
namespace {

constexpr std::int64_t kFewRows = 16;           // above, a block of the weight is widened first
constexpr std::int64_t kGrain = 1 << 14;        // of a weight: less is not worth a thread
constexpr std::int64_t kRowStep = 16;           // rows of x come in multiples of it
constexpr std::int64_t kMostLanes = 192;        // in one product
constexpr std::int64_t kBlockFloats = 1 << 16;  // of a weight: a quarter of a core's cache
constexpr std::int64_t kWordStep = 8;           // rows of a weight that a product takes at once

std::size_t size(std::int64_t value) {
    return static_cast<std::size_t>(value);
}

std::int64_t rounded_up(std::int64_t rows) {
    return (rows + kRowStep - 1) / kRowStep * kRowStep;
}

/// [T, in] to [in, lanes] of up to kMostLanes rows each, one part after the other; 0 beyond T.
at::Tensor turned(const at::Tensor& x_TI) {
    std::int64_t rows = x_TI.size(0), width = x_TI.size(1);
    at::Tensor out = at::zeros({rounded_up(rows) * width}, at::kFloat);
    for (std::int64_t first = 0; first < rows; first += kMostLanes) {
        std::int64_t count = std::min(kMostLanes, rows - first);
        std::int64_t lanes = rounded_up(count);
        at::Tensor part = out.narrow(0, first * width, lanes * width).view({width, lanes});
        part.narrow(1, 0, count).copy_(x_TI.narrow(0, first, count).t());
    }
    return out;
}

void multiply_few_rows(const at::Tensor& x_TI,
                       const at::Tensor& weight_OI,
                       const at::Tensor& out_TO) {
    std::int64_t rows = x_TI.size(0), width = x_TI.size(1), words = weight_OI.size(0);
    at::parallel_for(0, words, kGrain / width + 1, [&](std::int64_t begin, std::int64_t end) {
        multiply_few(best_tier(),
                     {.rows = size(rows),
                      .words = size(end - begin),
                      .depth = size(width),
                      .x = elements_of<float>(x_TI),
                      .x_row = size(width),
                      .weight = elements_of<Bf16>(weight_OI) + begin * weight_OI.stride(0),
                      .weight_row = size(weight_OI.stride(0)),
                      .y = mutable_elements_of<float>(out_TO) + begin,
                      .y_row = size(words)});
    });
}

void multiply_many_rows(const at::Tensor& x_TI,
                        const at::Tensor& weight_OI,
                        const at::Tensor& out_TO) {
    std::int64_t rows = x_TI.size(0), width = x_TI.size(1), words = weight_OI.size(0);
    at::Tensor turned_x = turned(x_TI);
    std::int64_t block = std::max(kWordStep, kBlockFloats / width / kWordStep * kWordStep);
    Tier tier = best_tier();
    const Bf16* weights = elements_of<Bf16>(weight_OI);
    float* out = mutable_elements_of<float>(out_TO);

    auto multiply_block =
        [&](std::int64_t first, std::vector<float>& wide, std::vector<float>& sums) {
            std::int64_t count = std::min(block, words - first), row_step = weight_OI.stride(0);
            const Bf16* from = weights + first * row_step;
            for (std::int64_t i = 0; i < count; i++)
                widen(tier, from + i * row_step, wide.data() + i * width, size(width));
            std::int64_t ahead = std::min(block, words - first - count);
            for (std::int64_t row = 0; row < rows; row += kMostLanes) {
                std::int64_t part = std::min(kMostLanes, rows - row), lanes = rounded_up(part);
                multiply(tier,
                         {.rows = size(count),
                          .columns = size(lanes),
                          .depth = size(width),
                          .a = wide.data(),
                          .a_row = size(width),
                          .b = elements_of<float>(turned_x) + row * width,
                          .b_row = size(lanes),
                          .c = sums.data(),
                          .c_row = size(lanes),
                          .next = from + count * row_step,
                          .next_bytes = size(ahead * row_step) * sizeof(Bf16)});
                for (std::int64_t r = 0; r < part; r++)
                    for (std::int64_t w = 0; w < count; w++)
                        out[(row + r) * words + first + w] = sums[size(w * lanes + r)];
            }
        };
    at::parallel_for(0, (words + block - 1) / block, 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> wide(size(block * width)), sums(size(block * kMostLanes));
        for (std::int64_t i = begin; i < end; i++)
            multiply_block(i * block, wide, sums);
    });
}

}  // namespace

at::Tensor narrow_linear(const at::Tensor& x, const at::Tensor& weight) {
    if (!x.is_cpu() || !weight.is_cpu() || x.scalar_type() != at::kFloat ||
        weight.scalar_type() != at::kBFloat16 || weight.dim() != 2 || weight.stride(1) != 1 ||
        x.size(-1) != weight.size(1))
        throw Error({},
                    fmt::format("rows {} of {} do not fit a weight {} of {}",
                                c10::str(x.sizes()),
                                c10::toString(x.scalar_type()),
                                c10::str(weight.sizes()),
                                c10::toString(weight.scalar_type())))
            .exit_code(kExitInternal);
    std::int64_t words = weight.size(0);
    at::Tensor x_TI = x.reshape({-1, x.size(-1)}).contiguous();
    at::Tensor out_TO = at::empty({x_TI.size(0), words}, at::kFloat);
    if (x_TI.size(0) <= kFewRows)
        multiply_few_rows(x_TI, weight, out_TO);
    else
        multiply_many_rows(x_TI, weight, out_TO);
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape.back() = words;
    return out_TO.view(shape);
}

}  // namespace stillroom::lm
