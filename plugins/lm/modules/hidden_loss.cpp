#include "plugins/lm/modules/hidden_loss.h"

#include "engine/base/error.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cosine_similarity.h>
#include <fmt/format.h>

namespace stillroom::lm {

at::Tensor hidden_loss(const HiddenPair& pair, const at::Tensor& rows_N) {
    bool projected = pair.projection.weight.defined();
    std::int64_t width = projected ? pair.projection.weight.size(0) : pair.student_TS.size(1);
    if (width != pair.teacher_TD.size(1))
        throw Error({},
                    fmt::format("hidden states of width {} against the teacher's {}",
                                width,
                                pair.teacher_TD.size(1)))
            .key("loss.hidden")
            .hint("a projection takes one to the other")
            .exit_code(kExitUsage);
    at::Tensor s_ND = pair.student_TS.index_select(0, rows_N);
    if (projected)
        s_ND = linear(s_ND, pair.projection);
    s_ND = s_ND.to(at::kFloat);
    at::Tensor t_ND = pair.teacher_TD.index_select(0, rows_N).to(at::kFloat);
    if (pair.kind == HiddenKind::mse)
        return (s_ND - t_ND).square().mean(1).sum();
    return (1 - at::cosine_similarity(s_ND, t_ND, 1)).sum();
}

}  // namespace stillroom::lm
