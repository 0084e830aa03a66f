#include "plugins/lm/data/gpt_indices.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"

#include <doctest/doctest.h>

#include <functional>

namespace stillroom::lm {
namespace {

std::vector<std::int64_t> ends_of(std::size_t count,
                                  const std::function<std::int64_t(std::int64_t)>& length) {
    std::vector<std::int64_t> ends;
    for (std::size_t i = 0; i < count; ++i)
        ends.push_back((i ? ends.back() : 0) + length(static_cast<std::int64_t>(i)));
    return ends;
}

template <class T>
std::string hash_of(const std::vector<T>& values) {
    return sha256_hex({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)})
        .substr(0, 16);
}

const std::vector<std::int64_t> kLengths{7, 5, 11, 3, 9, 6};

GptIndices small(std::optional<std::int64_t> samples) {
    auto ends = ends_of(6, [](std::int64_t i) { return kLengths[static_cast<std::size_t>(i)]; });
    return build_gpt_indices(ends, {0, 6}, 8, samples, 1234);
}

TEST_CASE("indices of three epochs with the last one apart are Megatron's") {
    GptIndices indices = small(12);
    CHECK(indices.epochs == 3);
    CHECK(indices.separate_last);
    CHECK(indices.documents ==
          std::vector<std::int32_t>{1, 2, 5, 2, 3, 4, 1, 0, 4, 5, 0, 3, 1, 0, 3, 2, 5, 4});
    CHECK(indices.narrow_starts == std::vector<std::int32_t>{0,  0, 1,  3, 2,  0, 3,  2,  3,  10, 5,
                                                             4,  6, 3,  7, 6,  8, 7,  10, 0,  11, 1,
                                                             13, 1, 14, 2, 15, 7, 16, 4,  17, 6});
    CHECK(indices.shuffled ==
          std::vector<std::uint32_t>{7, 6, 2, 3, 1, 9, 5, 4, 0, 8, 14, 11, 13, 10, 12});
}

TEST_CASE("a last epoch that is nearly whole is shuffled with the others") {
    GptIndices indices = small(14);
    CHECK(!indices.separate_last);
    CHECK(std::vector(indices.documents.begin(), indices.documents.begin() + 6) ==
          std::vector<std::int32_t>{5, 3, 5, 4, 1, 2});
    CHECK(std::vector(indices.shuffled.begin(), indices.shuffled.begin() + 6) ==
          std::vector<std::uint32_t>{7, 10, 4, 1, 12, 8});
}

TEST_CASE("a thousand documents give the reference's arrays") {
    auto ends = ends_of(1000, [](std::int64_t i) { return 37 * i % 101 + 1; });
    REQUIRE(ends.back() == 51010);
    GptIndices indices = build_gpt_indices(ends, {0, 1000}, 64, 2000, 1234);
    CHECK(indices.epochs == 3);
    CHECK(indices.separate_last);
    CHECK(indices.size() == 2391);
    CHECK(hash_of(indices.documents) == "4f44cafc94e1a2bf");
    CHECK(hash_of(indices.narrow_starts) == "d67b433b66afbf7d");
    CHECK(hash_of(indices.shuffled) == "cc9ca78014b5f8bf");
}

TEST_CASE("without a number of samples there is one epoch, of a range that ids begin with") {
    auto ends = ends_of(6, [](std::int64_t i) { return kLengths[static_cast<std::size_t>(i)]; });
    GptIndices indices = build_gpt_indices(ends, {2, 5}, 8, {}, 1);
    CHECK(indices.epochs == 1);
    CHECK(indices.size() == 2);  // (11 + 3 + 9 - 1) / 8
    for (std::int32_t document : indices.documents)
        CHECK((document >= 2 && document < 5));
}

TEST_CASE("documents without tokens, and one that is all, are walked through") {
    auto ends = ends_of(5, [](std::int64_t i) { return i == 3 ? 100 : 0; });
    GptIndices indices = build_gpt_indices(ends, {0, 5}, 10, 20, 7);
    CHECK(indices.epochs == 3);
    CHECK(indices.size() == 29);
}

TEST_CASE("what cannot be is refused before anything is allocated") {
    std::vector<std::int64_t> ends{5, 5};
    auto refused = [&](SequenceRange range,
                       std::int64_t sequence,
                       std::optional<std::int64_t> samples,
                       std::int64_t seed) {
        try {
            build_gpt_indices(ends, range, sequence, samples, seed);
        } catch (const Error& error) {
            return error.exit_code();
        }
        return 0;
    };
    CHECK(refused({1, 2}, 8, 1, 0) == kExitBadInput);
    CHECK(refused({0, 0}, 8, 1, 0) == kExitBadInput);
    CHECK(refused({0, 2}, 1, 1, 0) == kExitUsage);
    CHECK(refused({0, 2}, 8, -1, 0) == kExitUsage);
    CHECK(refused({0, 2}, 8, std::int64_t{1} << 40, 0) == kExitUsage);
    CHECK(refused({0, 2}, std::int64_t{1} << 30, std::int64_t{1} << 31, 0) == kExitBadInput);
    CHECK(refused({0, 2}, 8, 1, std::int64_t{1} << 32) == kExitUsage);
    CHECK(refused({0, 2}, 8, 1, 0) == 0);
}

}  // namespace
}  // namespace stillroom::lm
