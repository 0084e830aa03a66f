#include "plugins/lm/modules/hidden_loss.h"

#include "engine/base/error.h"
#include "tests/plugins/lm/modules/cases.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <doctest/doctest.h>

#include <cmath>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

HiddenPair pair_of(HiddenKind kind, bool projected) {
    HiddenPair pair{.kind = kind,
                    .student_TS = made_numbers("student hidden", {9, projected ? 12 : 20}),
                    .teacher_TD = made_numbers("teacher hidden", {9, 20}),
                    .projection = {}};
    if (projected)
        pair.projection = {.weight = made_numbers("projection", {20, 12}),
                           .bias = made_numbers("bias", {20})};
    return pair;
}

/// The definition, in double.
double expected(const HiddenPair& pair, const std::vector<std::int64_t>& rows) {
    double sum = 0;
    for (std::int64_t row : rows) {
        at::Tensor s = pair.student_TS[row].to(at::kDouble),
                   t = pair.teacher_TD[row].to(at::kDouble);
        if (pair.projection.weight.defined())
            s = pair.projection.weight.to(at::kDouble).mv(s) + pair.projection.bias.to(at::kDouble);
        at::Tensor loss = pair.kind == HiddenKind::mse ? (s - t).square().mean()
                                                       : 1 - s.dot(t) / (s.norm() * t.norm());
        sum += loss.item<double>();
    }
    return sum;
}

}  // namespace

TEST_CASE(
    "hidden states are compared as defined, over the rows that count, with and without a "
    "projection") {
    const std::vector<std::int64_t> rows{1, 4, 8};
    for (HiddenKind kind : {HiddenKind::cosine, HiddenKind::mse})
        for (bool projected : {false, true}) {
            HiddenPair pair = pair_of(kind, projected);
            double loss = hidden_loss(pair, at::tensor(rows)).item<double>();
            CHECK(loss == doctest::Approx(expected(pair, rows)).epsilon(1e-6));
        }
}

TEST_CASE("gradients of hidden states are their slopes, and rows that do not count have none") {
    const std::vector<std::int64_t> rows{0, 7};
    for (HiddenKind kind : {HiddenKind::cosine, HiddenKind::mse}) {
        HiddenPair pair = pair_of(kind, true);
        for (at::Tensor* x : {&pair.student_TS, &pair.projection.weight, &pair.projection.bias}) {
            *x = x->to(at::kDouble).requires_grad_();  // for the steps below; computed in fp32
            at::Tensor leaf = *x;
            HiddenPair single = pair_of(kind, true);
            (x == &pair.student_TS          ? single.student_TS
             : x == &pair.projection.weight ? single.projection.weight
                                            : single.projection.bias) = leaf.to(at::kFloat);
            hidden_loss(single, at::tensor(rows)).backward();
            at::Tensor before = leaf.detach().clone(),
                       direction = made_numbers("direction", before.sizes().vec()).to(at::kDouble);
            auto at_step = [&](double step) {
                HiddenPair moved = pair_of(kind, true);
                (x == &pair.student_TS          ? moved.student_TS
                 : x == &pair.projection.weight ? moved.projection.weight
                                                : moved.projection.bias) =
                    before + step * direction;
                return expected(moved, rows);
            };
            double slope = (at_step(1e-5) - at_step(-1e-5)) / 2e-5;
            CHECK((leaf.grad() * direction).sum().item<double>() ==
                  doctest::Approx(slope).epsilon(1e-5));
            if (x == &pair.student_TS)
                CHECK(leaf.grad()[3].abs().max().item<double>() == 0);
        }
    }
}

TEST_CASE("widths that differ without a projection are refused") {
    HiddenPair pair = pair_of(HiddenKind::mse, true);
    pair.projection = {};
    CHECK_THROWS_WITH_AS(hidden_loss(pair, at::tensor({0})),
                         "hidden states of width 12 against the teacher's 20",
                         Error);
}
