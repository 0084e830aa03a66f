#include "plugins/lm/modules/attend.h"

#include "tests/plugins/lm/modules/cases.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace stillroom::lm;

namespace {

/// Numbers by their names, as weights are made.
at::Tensor numbers(const std::string& name, std::vector<std::int64_t> shape) {
    return made_weight({}, name + ".embed_tokens", shape);
}

/// The formula, in loops and double.
at::Tensor attend_plain(const at::Tensor& q,
                        const at::Tensor& k,
                        const at::Tensor& v,
                        const Attending& how) {
    at::Tensor out = at::empty(q.sizes(), at::kFloat);
    auto Q = q.accessor<float, 4>(), K = k.accessor<float, 4>(), V = v.accessor<float, 4>(),
         O = out.accessor<float, 4>();
    std::int64_t group = q.size(2) / k.size(2), past = k.size(1) - q.size(1), dim = q.size(3);
    for (std::int64_t b = 0; b < q.size(0); b++)
        for (std::int64_t i = 0; i < q.size(1); i++)
            for (std::int64_t h = 0; h < q.size(2); h++) {
                std::int64_t last = past + i;
                std::int64_t first =
                    how.window ? std::max<std::int64_t>(0, last + 1 - *how.window) : 0;
                std::vector<double> shares, mixed(static_cast<std::size_t>(dim));
                double sum = 0;
                for (std::int64_t j = first; j <= last; j++) {
                    double score = 0;
                    for (std::int64_t d = 0; d < dim; d++)
                        score += double{Q[b][i][h][d]} * double{K[b][j][h / group][d]};
                    score *= how.scale;
                    if (how.cap)
                        score = *how.cap * std::tanh(score / *how.cap);
                    shares.push_back(std::exp(score));
                    sum += shares.back();
                }
                for (std::int64_t j = first; j <= last; j++)
                    for (std::int64_t d = 0; d < dim; d++)
                        mixed[static_cast<std::size_t>(d)] +=
                            shares[static_cast<std::size_t>(j - first)] / sum *
                            double{V[b][j][h / group][d]};
                for (std::int64_t d = 0; d < dim; d++)
                    O[b][i][h][d] = static_cast<float>(mixed[static_cast<std::size_t>(d)]);
            }
    return out;
}

}  // namespace

TEST_CASE("attention is its formula, over several blocks, windows, caps and a past") {
    c10::InferenceMode inference;
    for (std::int64_t queries : {1, 31, 32, 300})
        for (std::int64_t past : {0, 45})
            for (std::optional<std::int64_t> window :
                 {std::optional<std::int64_t>(), {1}, {33}, {150}})
                for (std::optional<double> cap : {std::optional<double>(), {2.0}}) {
                    CAPTURE(queries);
                    CAPTURE(past);
                    CAPTURE(window.value_or(0));
                    CAPTURE(cap.value_or(0));
                    Attending how{.scale = 0.3, .window = window, .cap = cap};
                    at::Tensor q = numbers("q", {2, queries, 6, 8}),
                               k = numbers("k", {2, queries + past, 2, 8}),
                               v = numbers("v", {2, queries + past, 2, 8});
                    at::Tensor expected = attend_plain(q, k, v, how);
                    CHECK(max_gap(attend(q, k, v, how), expected) <= 2e-6);
                    at::Tensor half =
                        attend(q.to(at::kBFloat16), k.to(at::kBFloat16), v.to(at::kBFloat16), how);
                    CHECK(max_gap(half, expected) <= 0.02);
                }
}

TEST_CASE("attention takes keys and values as they lie in a cache") {
    c10::InferenceMode inference;
    Attending how{.scale = 0.3, .window = {}, .cap = {}};
    at::Tensor q = numbers("q", {1, 70, 4, 8}), k = numbers("k", {1, 200, 3, 8}).narrow(2, 1, 2),
               v = numbers("v", {1, 200, 3, 8}).narrow(2, 0, 2);
    k = k.narrow(1, 0, 90), v = v.narrow(1, 0, 90);
    CHECK(max_gap(attend(q, k, v, how), attend_plain(q, k, v, how)) <= 2e-6);
}
