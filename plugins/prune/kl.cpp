#include "plugins/prune/kl.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/log_softmax.h>

#include <algorithm>

namespace stillroom::prune {
namespace {

constexpr std::int64_t kLogits = 1 << 23;  // that exist at once, of each of two models

}  // namespace

std::vector<at::Tensor> token_kl(const Headed& teacher, const std::vector<Headed>& candidates) {
    const std::int64_t tokens = teacher.hidden_TD.size(0);
    const std::int64_t block =
        std::clamp<std::int64_t>(kLogits / teacher.decoder->config.vocab, 16, 1024);
    std::vector<std::vector<at::Tensor>> parts(candidates.size());
    for (std::int64_t begin = 0; begin < tokens; begin += block) {
        const std::int64_t some = std::min(block, tokens - begin);
        auto logs = [&](const Headed& one) {
            return at::log_softmax(
                lm::logits(*one.decoder, one.hidden_TD.narrow(0, begin, some)), -1, at::kFloat);
        };
        at::Tensor teacher_TV = logs(teacher), shares_TV = at::exp(teacher_TV);
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            at::Tensor gap_TV = logs(candidates[i]).neg_().add_(teacher_TV).mul_(shares_TV);
            parts[i].push_back(gap_TV.sum(-1).cpu());
        }
    }
    std::vector<at::Tensor> out;
    for (const std::vector<at::Tensor>& one : parts)
        out.push_back(at::cat(one));
    return out;
}

}  // namespace stillroom::prune
