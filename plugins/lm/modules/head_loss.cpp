#include "plugins/lm/modules/head_loss.h"

#include "engine/base/error.h"
#include "plugins/lm/modules/head_engine.h"

#include <ATen/core/grad_mode.h>
#include <c10/util/StringUtil.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stillroom::lm {
namespace {

void check_side(const HeadSide& side, const char* name, std::int64_t tokens) {
    if (side.hidden_TD.dim() != 2 || side.weight_VD.dim() != 2 ||
        side.hidden_TD.size(1) != side.weight_VD.size(1) || side.hidden_TD.size(0) != tokens)
        throw Error({},
                    fmt::format("{} hidden states {} do not fit {} tokens and a head {}",
                                name,
                                c10::str(side.hidden_TD.sizes()),
                                tokens,
                                c10::str(side.weight_VD.sizes())))
            .exit_code(kExitInternal);
}

/// Words here, of both sides.
std::int64_t words_of(const HeadBatch& batch, const HeadTerms& terms) {
    std::int64_t words = batch.student.weight_VD.size(0);
    return terms.kl ? std::min(words, batch.teacher->weight_VD.size(0)) : words;
}

void check_batch(const HeadBatch& batch, const HeadTerms& terms) {
    std::int64_t tokens = batch.student.hidden_TD.size(0);
    check_side(batch.student, "the student's", tokens);
    if (terms.kl && !batch.teacher)
        throw Error({}, "a divergence without a teacher").exit_code(kExitInternal);
    if (terms.kl)
        check_side(*batch.teacher, "the teacher's", tokens);
    if (!batch.labels_T.device().is_cpu() || batch.labels_T.scalar_type() != at::kLong ||
        batch.labels_T.numel() != tokens || !batch.labels_T.is_contiguous())
        throw Error({}, fmt::format("{} labels for {} tokens", batch.labels_T.numel(), tokens))
            .exit_code(kExitInternal);
}

/// The rows that count; throws if a label is no word.
std::vector<std::int64_t> rows_that_count(const HeadBatch& batch, std::int64_t words) {
    const auto* labels = batch.labels_T.const_data_ptr<std::int64_t>();
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < batch.labels_T.numel(); i++) {
        if (labels[i] >= words)
            throw Error(
                {}, fmt::format("token {} is asked for, of a vocabulary of {}", labels[i], words))
                .hint("the data was made with another tokenizer")
                .exit_code(kExitBadInput);
        if (labels[i] >= 0)
            rows.push_back(i);
    }
    return rows;
}

/// Both sides are of a type that the kernels know, on one device that has them.
bool suits_kernels(const HeadBatch& batch, const HeadTerms& terms) {
    const at::Tensor& like = batch.student.weight_VD;
    auto same = [&](const at::Tensor& x) {
        return x.device() == like.device() && x.scalar_type() == like.scalar_type();
    };
    return like.is_cuda() && device_kernels() != nullptr &&
           (like.scalar_type() == at::kFloat || like.scalar_type() == at::kBFloat16) &&
           same(batch.student.hidden_TD) &&
           (!terms.kl || (same(batch.teacher->hidden_TD) && same(batch.teacher->weight_VD)));
}

std::unique_ptr<HeadEngine> engine_for(const HeadBatch& batch,
                                       const HeadTerms& terms,
                                       std::int64_t words,
                                       std::int64_t rows) {
    if (batch.student.hidden_TD.is_cpu())
        return cpu_head_engine(batch, terms, words, rows);
    if (suits_kernels(batch, terms))
        return device_head_engine(batch, terms, words, rows, *device_kernels());
    return operator_head_engine(batch, terms, words);
}

HeadSums run(const HeadBatch& batch, HeadTerms terms, const HeadSlopes* slopes) {
    at::NoGradGuard no_gradients;  // they are made here
    check_terms(terms);
    check_batch(batch, terms);
    std::int64_t words = words_of(batch, terms), all_words = std::max(words, batch.shard.total);
    std::vector<std::int64_t> rows = rows_that_count(batch, all_words);
    if (slopes != nullptr)
        slopes->hidden_TD.zero_();
    if (rows.empty())
        return {};
    if (terms.kl && terms.kl->top_k >= all_words && terms.kl->top_p == 1)
        terms.kl->top_k = 0;  // it leaves out none
    return run_chunks(
        *engine_for(batch, terms, words, std::ssize(rows)), batch, terms, rows, slopes);
}

}  // namespace

void HeadSums::expect_finite() const {
    if (nonfinite > 0)
        throw Error({},
                    fmt::format("{} of {} rows have logits that are not finite", nonfinite, rows))
            .hint("lower the learning rate, or look at the weights with checkpoint.inspect")
            .exit_code(kExitNumeric);
}

HeadSums head_sums(const HeadBatch& batch, const HeadTerms& terms) {
    return run(batch, terms, nullptr);
}

HeadSums head_slopes(const HeadBatch& batch, const HeadTerms& terms, const HeadSlopes& slopes) {
    const at::Tensor& weight = slopes.weight_VD;
    if (!slopes.hidden_TD.sizes().equals(batch.student.hidden_TD.sizes()) ||
        (weight.defined() && (!weight.sizes().equals(batch.student.weight_VD.sizes()) ||
                              weight.scalar_type() != at::kFloat || weight.stride(1) != 1)))
        throw Error({}, "slopes of another shape or type than what they are of")
            .exit_code(kExitInternal);
    return run(batch, terms, &slopes);
}

}  // namespace stillroom::lm
