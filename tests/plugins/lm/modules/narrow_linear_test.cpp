#include "plugins/lm/modules/narrow_linear.h"

#include "engine/base/error.h"
#include "tests/plugins/lm/modules/cases.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>
#include <doctest/doctest.h>

using namespace stillroom;
using namespace stillroom::lm;

TEST_CASE("rows times a narrow weight are rows times the same weight widened") {
    struct Shape {
        std::int64_t rows, in, out;
    };
    for (Shape shape : {Shape{1, 576, 1000},
                        Shape{5, 64, 8},
                        Shape{16, 63, 9},
                        Shape{17, 1536, 113},
                        Shape{192, 40, 1},
                        Shape{193, 7, 300},
                        Shape{400, 129, 250}}) {
        CAPTURE(shape.rows);
        at::Tensor x = made_numbers("x", {shape.rows, shape.in});
        at::Tensor weight = made_numbers("weight", {shape.out, shape.in}).to(at::kBFloat16);
        at::Tensor expected = at::linear(x.to(at::kDouble), weight.to(at::kDouble));
        at::Tensor got = narrow_linear(x, weight);
        CHECK((got.sizes() == expected.sizes()));
        CHECK(max_gap(got, expected) <= 1e-5 * expected.abs().max().item<double>());
    }
}

TEST_CASE("a narrow weight may be a slice of a wider one, and rows of any rank") {
    at::Tensor x = made_numbers("x", {2, 3, 32});
    at::Tensor weight = made_numbers("weight", {50, 48}).to(at::kBFloat16).narrow(1, 0, 32);
    at::Tensor expected = at::linear(x, weight.to(at::kFloat));
    CHECK(max_gap(narrow_linear(x, weight), expected) <=
          1e-5 * expected.abs().max().item<double>());
    CHECK_THROWS_WITH_AS(narrow_linear(x, weight.to(at::kHalf)),
                         "rows [2, 3, 32] of Float do not fit a weight [50, 32] of Half",
                         Error);
    CHECK_THROWS_AS(narrow_linear(x, weight.narrow(1, 0, 31)), Error);
}
