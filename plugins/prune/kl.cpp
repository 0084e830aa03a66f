#include "plugins/prune/kl.h"

#include "plugins/lm/modules/head_loss.h"

#include <ATen/ops/zeros.h>

namespace stillroom::prune {
namespace {

lm::HeadSide side_of(const Headed& headed, std::int64_t begin, std::int64_t length) {
    return {.hidden_TD = headed.hidden_TD.narrow(0, begin, length),
            .weight_VD = headed.decoder->lm_head,
            .cap = headed.decoder->config.final_cap};
}

}  // namespace

std::vector<double> mean_kl(const Headed& teacher,
                            const Headed& candidate,
                            const std::vector<std::int64_t>& lengths) {
    const lm::HeadTerms terms{.kl = lm::KlTerm()};
    std::vector<double> out;
    std::int64_t begin = 0;
    for (std::int64_t length : lengths) {
        lm::HeadBatch batch;
        batch.student = side_of(candidate, begin, length);
        batch.teacher = side_of(teacher, begin, length);
        batch.labels_T = at::zeros({length}, at::kLong);  // every row counts
        lm::HeadSums sums = lm::head_sums(batch, terms);
        sums.expect_finite();
        out.push_back(sums.kl / static_cast<double>(length));
        begin += length;
    }
    return out;
}

}  // namespace stillroom::prune
