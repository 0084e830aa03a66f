#include "plugins/checkpoint/self_check.h"

#include "tests/engine/temporary_folder.h"
#include "tests/plugins/checkpoint/model_of.h"
#include "tests/plugins/lm/weights/refusal.h"

#include <doctest/doctest.h>

#include <fstream>

using namespace stillroom;
using namespace stillroom::checkpoint;
namespace fs = std::filesystem;

namespace {

void nothing(std::uint64_t, std::uint64_t) {}

/// Writes over the last bytes of the model's file.
void spoil(const fs::path& folder, std::string_view with) {
    std::fstream file(folder / "model.safetensors",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-static_cast<std::streamoff>(with.size()), std::ios::end);
    file.write(with.data(), static_cast<std::streamsize>(with.size()));
}

std::string refusal_at(const fs::path& from,
                       const fs::path& to,
                       std::optional<lm::Dtype> dtype = {}) {
    return lm::refusal_of([&] { check_written(open_model(from), to, dtype, 2, nothing); });
}

TEST_CASE("a copy equals its source, and a copy of which a byte was changed does not") {
    TemporaryFolder scratch;
    fs::path one = scratch.path() / "one", other = scratch.path() / "other";
    write_model(one, tiny_model());
    write_model(other, tiny_model());
    SelfCheck check = check_written(open_model(one), other, {}, 2, nothing);
    CHECK(check.tensors == 21);
    CHECK(check.cast == 0);
    spoil(other, "x");
    CHECK(refusal_at(one, other).starts_with("9: "));
    CHECK(refusal_at(one, other).ends_with("differs from its source"));
}

TEST_CASE("a cast copy equals what the cast makes, and nothing else") {
    TemporaryFolder scratch;
    fs::path one = scratch.path() / "one", other = scratch.path() / "other";
    write_model(one, tiny_model(), lm::Dtype::f32);
    write_model(other, tiny_model(), lm::Dtype::bf16);
    CHECK(check_written(open_model(one), other, lm::Dtype::bf16, 2, nothing).cast == 21);
    CHECK(refusal_at(one, other).find("another shape or type") != std::string::npos);
    spoil(other, "xy");
    CHECK(refusal_at(one, other, lm::Dtype::bf16).ends_with("differs from its source"));
}

TEST_CASE("NaN and infinities are counted, with the first tensor that has one") {
    TemporaryFolder scratch;
    fs::path one = scratch.path() / "one";
    write_model(one, tiny_model());
    spoil(one, std::string_view("\0\0\xc0\x7f\0\0\x80\x7f", 8));
    SelfCheck check = check_written(open_model(one), one, {}, 1, nothing);
    CHECK(check.numbers.counts == lm::NumberCounts{1, 1, 0});
    CHECK(!check.numbers.first.empty());
    CHECK(
        lm::refusal_of([&] { judge(check.numbers, false, "allow_nonfinite"); }).starts_with("6: "));
    CHECK(judge(check.numbers, true, "allow_nonfinite").find("1 NaN, 1 infinite") !=
          std::string::npos);
}

TEST_CASE("what is too large for a type is counted when it is cast") {
    TemporaryFolder scratch;
    fs::path one = scratch.path() / "one";
    write_model(one, tiny_model());
    spoil(one, std::string_view("\0\0\x80\x7e", 4));  // 8.5e37
    BadNumbers numbers;
    ModelFolder model = open_model(one);
    for (lm::NewTensor& tensor : as_dtype(model.own_tensors(), lm::Dtype::f16, 2, numbers))
        tensor.make([](std::span<const std::byte>) {});
    CHECK(numbers.counts == lm::NumberCounts{0, 0, 1});
}

}  // namespace
