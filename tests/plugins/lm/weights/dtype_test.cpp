#include "plugins/lm/weights/dtype.h"

#include "plugins/lm/weights/tensor.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

TEST_CASE("the name of a dtype leads back to it") {
    for (int i = 0; i <= static_cast<int>(Dtype::u64); ++i) {
        Dtype dtype = static_cast<Dtype>(i);
        CHECK(dtype_named(name_of(dtype)) == dtype);
    }
    CHECK(bits_of(Dtype::f4) == 4);
    CHECK(bits_of(Dtype::bf16) == 16);
    CHECK(bits_of(Dtype::c64) == 64);
    CHECK_FALSE(dtype_named("bf16"));
}

TEST_CASE("a shape is written as in an index") {
    CHECK(to_string(Shape{}) == "[]");
    CHECK(to_string({4096, 1024}) == "[4096, 1024]");
    CHECK(elements({}) == 1);
    CHECK(elements({3, 0, 5}) == 0);
}

}  // namespace
}  // namespace stillroom::lm
