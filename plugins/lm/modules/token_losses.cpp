#include "plugins/lm/modules/token_losses.h"

#include "engine/base/error.h"
#include "plugins/lm/kernels/cross_entropy.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace stillroom::lm {
namespace {

constexpr std::int64_t kLogits = 1 << 24;  // that exist at once on a device: 64 MiB of fp32
// On a CPU a block of the vocabulary meets all rows: each weight is read once, the logits stay in
// the cache until they are summed.
constexpr std::int64_t kVocabBlock = 2048, kRows = 2048;

/// Logits of the vocabulary from `first` on, as many as there is room for; capped.
at::Tensor block_of_logits(const Decoder& decoder,
                           const at::Tensor& hidden_TD,
                           std::int64_t first,
                           at::Tensor into_TV) {
    at::Tensor head_VD = decoder.lm_head.narrow(0, first, into_TV.size(1));
    if (hidden_TD.scalar_type() == at::kFloat)
        at::mm_out(into_TV, hidden_TD, head_VD.t());
    else
        into_TV.copy_(at::mm(hidden_TD, head_VD.t()));
    if (auto cap = decoder.config.final_cap)
        into_TV.div_(*cap).tanh_().mul_(*cap);
    return into_TV;
}

/// Nothing as long as the vocabulary is ever written: of each row there is a maximum, a sum and the
/// target's logit.
at::Tensor losses_on_cpu(const Decoder& decoder,
                         const at::Tensor& hidden_TD,
                         const at::Tensor& targets_T) {
    static const Tier tier = best_tier();
    std::int64_t rows = hidden_TD.size(0), vocab = decoder.config.vocab;
    at::Tensor losses_T = at::empty({rows}, at::kFloat);
    at::Tensor buffer = at::empty({rows * std::min(kVocabBlock, vocab)}, at::kFloat);
    const auto* targets = targets_T.const_data_ptr<std::int64_t>();
    float* losses = losses_T.mutable_data_ptr<float>();
    std::vector<RowSum> sums(static_cast<std::size_t>(rows));
    for (std::int64_t first = 0; first < vocab; first += kVocabBlock) {
        std::int64_t count = std::min(kVocabBlock, vocab - first);
        at::Tensor logits_TV = block_of_logits(
            decoder, hidden_TD, first, buffer.narrow(0, 0, rows * count).view({rows, count}));
        const float* logits = logits_TV.const_data_ptr<float>();
        at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t row = begin; row < end; row++) {
                if (targets[row] < 0)
                    continue;
                const float* part = logits + row * count;
                add_logits(tier,
                           part,
                           static_cast<std::size_t>(count),
                           sums[static_cast<std::size_t>(row)]);
                if (targets[row] >= first && targets[row] < first + count)
                    losses[row] = part[targets[row] - first];
            }
        });
    }
    for (std::int64_t row = 0; row < rows; row++)
        losses[row] = targets[row] < 0
                          ? 0
                          : static_cast<float>(sums[static_cast<std::size_t>(row)].log() -
                                               double{losses[row]});
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
    bool on_cpu = hidden_TD.is_cpu();
    std::int64_t block =
        on_cpu ? kRows : std::clamp(kLogits / vocab, std::int64_t{32}, std::int64_t{4096});
    std::vector<at::Tensor> losses;
    for (std::int64_t begin = 0; begin < tokens; begin += block) {
        std::int64_t rows = std::min(block, tokens - begin);
        at::Tensor part_TD = hidden_TD.narrow(0, begin, rows);
        at::Tensor part_T = targets_T.narrow(0, begin, rows).contiguous();
        losses.push_back(on_cpu ? losses_on_cpu(decoder, part_TD, part_T)
                                : losses_on_device(logits(decoder, part_TD), part_T));
    }
    return at::cat(losses);
}

}  // namespace stillroom::lm
