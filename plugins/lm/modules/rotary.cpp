#include "plugins/lm/modules/rotary.h"

#include "engine/base/error.h"
#include "plugins/lm/config/rope.h"
#include "plugins/lm/kernels/rotate.h"
#include "plugins/lm/modules/fused.h"
#include "plugins/lm/modules/on_device.h"
#include "plugins/lm/modules/own_backward.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace stillroom::lm {
namespace {

/// The turns at these positions of a text of `length` tokens.
Turns turns_at(const Rope& rope,
               const std::vector<float>& positions,
               std::int64_t length,
               const at::TensorOptions& options) {
    std::vector<float> inverse = inverse_frequencies(rope, length);
    at::Tensor inverse_R = sent_to(options.device(), at::tensor(inverse, at::kFloat));
    at::Tensor positions_T = sent_to(options.device(), at::tensor(positions, at::kFloat));
    at::Tensor angle_TR = positions_T.unsqueeze(1) * inverse_R;
    return {.cos_TR = (angle_TR.cos() * rope.attention_factor).to(options),
            .sin_TR = (angle_TR.sin() * rope.attention_factor).to(options)};
}

template <class Element>
void rotate_into(Tier tier, const at::Tensor& out, const at::Tensor& x_THK, const Turns& turns) {
    std::int64_t row = x_THK.size(1) * x_THK.size(2), half = turns.cos_TR.size(1);
    HeadShape shape{.heads = static_cast<std::size_t>(x_THK.size(1)),
                    .dim = static_cast<std::size_t>(x_THK.size(2)),
                    .half = static_cast<std::size_t>(half)};
    std::int64_t grain = std::max<std::int64_t>(1, 16384 / row);
    at::parallel_for(0, x_THK.size(0), grain, [&](std::int64_t begin, std::int64_t end) {
        rotate_heads(tier,
                     shape,
                     elements_of<Element>(x_THK) + begin * row,
                     elements_of<Element>(turns.cos_TR) + begin * half,
                     elements_of<Element>(turns.sin_TR) + begin * half,
                     mutable_elements_of<Element>(out) + begin * row,
                     static_cast<std::size_t>(end - begin));
    });
}

}  // namespace

bool bends_by_length(const Rope& rope, std::int64_t length) {
    return rope.scaling == RopeScaling::dynamic && length > rope.original_length;
}

Turns turns_of(const Rope& rope, const Batch& batch, const at::TensorOptions& options) {
    if (batch.positions_T.defined()) {
        const auto* given = batch.positions_T.const_data_ptr<std::int64_t>();
        std::vector<float> positions(given, given + batch.positions_T.numel());
        return turns_at(rope,
                        positions,
                        *std::max_element(batch.lengths.begin(), batch.lengths.end()),
                        options);
    }
    // All sequences at once, but those whose own length bends their angles.
    std::vector<at::Tensor> cos, sin;
    std::size_t rows = batch.plain_rows() ? 1 : batch.lengths.size();  // one, many times
    std::vector<float> positions;
    auto work_out = [&](std::int64_t length) {
        Turns part = turns_at(rope, positions, length, options);
        cos.push_back(part.cos_TR);
        sin.push_back(part.sin_TR);
        positions.clear();
    };
    for (std::size_t i = 0; i < rows; i++) {
        std::int64_t begin = batch.start(i), end = begin + batch.lengths[i];
        bool bends = bends_by_length(rope, end);
        if (begin > 0 && bends)
            throw Error(
                {},
                fmt::format("a text of {} tokens bends all angles of this model, which knows "
                            "{}: it cannot go on from what was computed before",
                            end,
                            rope.original_length));
        if (bends && !positions.empty())
            work_out(0);
        for (std::int64_t at = begin; at < end; at++)
            positions.push_back(static_cast<float>(at));
        if (bends)
            work_out(end);
    }
    if (!positions.empty() || cos.empty())
        work_out(0);
    if (rows == 1) {
        cos.resize(batch.lengths.size(), cos.front());
        sin.resize(batch.lengths.size(), sin.front());
    }
    if (cos.size() == 1)
        return {.cos_TR = cos.front(), .sin_TR = sin.front()};
    return {.cos_TR = at::cat(cos, 0), .sin_TR = at::cat(sin, 0)};
}

at::Tensor rotate(const at::Tensor& x_THK, const Turns& turns) {
    if (wants_gradient({&x_THK}))
        return rotate_with_backward(x_THK, turns);
    if (std::optional<FusedTier> fused = fused_tier({&x_THK, &turns.cos_TR, &turns.sin_TR})) {
        at::Tensor out = at::empty_like(x_THK);
        if (fused->halves)
            rotate_into<Bf16>(fused->tier, out, x_THK, turns);
        else
            rotate_into<float>(fused->tier, out, x_THK, turns);
        return out;
    }
    std::int64_t half = turns.cos_TR.size(1), rest = x_THK.size(2) - 2 * half;
    if (const DeviceKernels* kernels = kernels_for({&x_THK, &turns.cos_TR, &turns.sin_TR})) {
        at::Tensor out = at::empty_like(x_THK);
        queue_kernel(out, *kernels, "rotate", [&](CUstream_st* stream) {
            return kernels->rotate({.x = x_THK.const_data_ptr(),
                                    .cos = turns.cos_TR.const_data_ptr(),
                                    .sin = turns.sin_TR.const_data_ptr(),
                                    .out = out.mutable_data_ptr(),
                                    .tokens = x_THK.size(0),
                                    .heads = x_THK.size(1),
                                    .dim = x_THK.size(2),
                                    .half = half,
                                    .halves = x_THK.scalar_type() == at::kBFloat16},
                                   stream);
        });
        return out;
    }
    at::Tensor cos = turns.cos_TR.unsqueeze(1), sin = turns.sin_TR.unsqueeze(1);
    at::Tensor first = x_THK.narrow(2, 0, half), second = x_THK.narrow(2, half, half);
    std::vector<at::Tensor> parts = {first * cos - second * sin, second * cos + first * sin};
    if (rest > 0)
        parts.push_back(x_THK.narrow(2, 2 * half, rest));
    return at::cat(parts, 2);
}

}  // namespace stillroom::lm
