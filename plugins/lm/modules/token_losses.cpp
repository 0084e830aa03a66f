#include "plugins/lm/modules/token_losses.h"

#include "engine/base/error.h"
#include "plugins/lm/kernels/cross_entropy.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace stillroom::lm {
namespace {

constexpr std::int64_t kLogits = 1 << 24;  // that exist at once: 64 MiB of fp32

/// fp32 on the CPU: one pass for the maximum, one for the sum, nothing written but the loss.
at::Tensor losses_on_cpu(const at::Tensor& logits_TV, const at::Tensor& targets_T) {
    at::Tensor rows_TV = logits_TV.to(at::kFloat).contiguous();
    at::Tensor losses_T = at::empty({rows_TV.size(0)}, at::kFloat);
    const float* rows = rows_TV.const_data_ptr<float>();
    const auto* targets = targets_T.const_data_ptr<std::int64_t>();
    float* losses = losses_T.mutable_data_ptr<float>();
    std::int64_t vocab = rows_TV.size(1);
    at::parallel_for(0, rows_TV.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; row++)
            losses[row] = targets[row] < 0 ? 0
                                           : cross_entropy(rows + row * vocab,
                                                           static_cast<std::size_t>(vocab),
                                                           static_cast<std::size_t>(targets[row]));
    });
    return losses_T;
}

at::Tensor losses_on_device(const at::Tensor& logits_TV, const at::Tensor& targets_T) {
    at::Tensor targets = targets_T.to(logits_TV.device());
    at::Tensor shares_TV = at::log_softmax(logits_TV, -1, at::kFloat);
    at::Tensor losses_T = shares_TV.gather(1, targets.clamp_min(0).unsqueeze(1)).squeeze(1).neg();
    return losses_T.masked_fill_(targets < 0, 0);
}

}  // namespace

at::Tensor token_losses(const Decoder& decoder,
                        const at::Tensor& hidden_TD,
                        const at::Tensor& targets_T) {
    std::int64_t tokens = hidden_TD.size(0), vocab = decoder.config.vocab;
    if (targets_T.numel() != tokens || !targets_T.device().is_cpu() ||
        targets_T.scalar_type() != at::kLong || targets_T.max().item<std::int64_t>() >= vocab)
        throw Error(
            {},
            fmt::format(
                "{} targets for {} tokens, each below {}", targets_T.numel(), tokens, vocab));
    std::int64_t block = std::clamp(kLogits / vocab, std::int64_t{32}, std::int64_t{4096});
    std::vector<at::Tensor> losses;
    for (std::int64_t begin = 0; begin < tokens; begin += block) {
        std::int64_t rows = std::min(block, tokens - begin);
        at::Tensor logits_TV = logits(decoder, hidden_TD.narrow(0, begin, rows));
        at::Tensor part_T = targets_T.narrow(0, begin, rows).contiguous();
        losses.push_back(logits_TV.is_cpu() ? losses_on_cpu(logits_TV, part_T)
                                            : losses_on_device(logits_TV, part_T));
    }
    return at::cat(losses);
}

}  // namespace stillroom::lm
