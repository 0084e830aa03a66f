#include "engine/base/error.h"
#include "plugins/lm/modules/head_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_assert_async.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

namespace stillroom::lm {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What forward takes beside tensors, and gives back beside the total.
struct Request {
    const HeadBatch* batch;
    const HeadTerms* terms;
    at::Tensor main_VD;
    HeadSums sums;
};

double weighted(const HeadSums& sums, const HeadTerms& terms) {
    double total = terms.ce_weight == 0 ? 0 : terms.ce_weight * sums.ce;
    return terms.kl && terms.kl->weight != 0 ? total + terms.kl->weight * sums.kl : total;
}

at::Tensor total_of(const HeadSums& sums, const HeadTerms& terms, const at::Tensor& like) {
    return at::full({}, weighted(sums, terms), like.options().dtype(at::kFloat));
}

struct HeadFunction : torch::autograd::Function<HeadFunction> {
    static at::Tensor forward(AutogradContext* context,
                              const at::Tensor& hidden_TD,
                              const at::Tensor& weight_VD,
                              Request* request) {
        bool own = weight_VD.requires_grad() && !request->main_VD.defined();
        HeadSlopes slopes{
            .hidden_TD = at::empty_like(hidden_TD),
            .weight_VD = own ? at::zeros(weight_VD.sizes(), weight_VD.options().dtype(at::kFloat))
                             : request->main_VD};
        request->sums = head_slopes(*request->batch, *request->terms, slopes);
        context->save_for_backward({slopes.hidden_TD, own ? slopes.weight_VD : at::Tensor()});
        context->saved_data["added"] = request->main_VD.defined();
        return total_of(request->sums, *request->terms, hidden_TD);
    }

    static variable_list backward(AutogradContext* context, const variable_list& slope) {
        variable_list saved = context->get_saved_variables();
        if (context->saved_data["added"].toBool())
            at::_assert_async(slope[0] == 1,
                              "the head's gradient was added where it belongs for a slope of 1");
        at::Tensor hidden_TD = saved[0] * slope[0].to(saved[0].scalar_type()), weight_VD;
        if (saved[1].defined())
            weight_VD = saved[1] * slope[0];
        return {hidden_TD, weight_VD, at::Tensor()};
    }
};

}  // namespace

HeadLoss head_loss(const HeadBatch& batch, const HeadTerms& terms, const at::Tensor& main_VD) {
    const at::Tensor &hidden_TD = batch.student.hidden_TD, &weight_VD = batch.student.weight_VD;
    bool wanted = at::GradMode::is_enabled() &&
                  (hidden_TD.requires_grad() || weight_VD.requires_grad() || main_VD.defined());
    if (!wanted) {
        HeadSums sums = head_sums(batch, terms);
        return {.total = total_of(sums, terms, hidden_TD), .sums = sums};
    }
    Request request{.batch = &batch, .terms = &terms, .main_VD = main_VD, .sums = {}};
    at::Tensor total = HeadFunction::apply(hidden_TD, weight_VD, &request);
    return {.total = total, .sums = request.sums};
}

}  // namespace stillroom::lm
