#include "plugins/lm/data/samples.h"

#include "engine/base/error.h"
#include "tests/plugins/lm/data/dataset_of.h"

#include <doctest/doctest.h>

#include <set>

namespace stillroom::lm {
namespace {

Samples samples_of(const TemporaryFolder& folder,
                   const DatasetInfo& info,
                   std::optional<std::int64_t> count,
                   SplitPart part = SplitPart::train,
                   const std::string& split = "1") {
    write_dataset_info(folder.path(), info);
    SampleRequest request;
    request.sequence = 4;
    request.samples = count;
    request.part = part;
    request.split = split;
    return Samples(std::make_shared<const DatasetFolder>(open_dataset(folder.path())), request);
}

std::vector<std::int32_t> read(const Samples& samples, std::int64_t i) {
    std::vector<std::int32_t> tokens(5);
    samples.read(i, tokens, 1000);
    return tokens;
}

TEST_CASE("a weighted blend repeats, one by size does not") {
    TemporaryFolder folder;
    DatasetPart a = part_of(folder, "a", 0, {9, 8}), b = part_of(folder, "b", 500, {21});
    CHECK_THROWS_WITH_AS(samples_of(folder, info_of({a, b}), 10),
                         doctest::Contains("10 samples are wanted, the blend has 9"),
                         Error);
    CHECK(samples_of(folder, info_of({a, b}), 7).size() == 7);
    Samples once = samples_of(folder, info_of({a, b}), {});
    CHECK(once.size() == 9);
    std::set<std::int32_t> begins;
    for (std::int64_t i = 0; i < once.size(); ++i)
        begins.insert(read(once, i).front());
    CHECK(begins.size() == 9);
    a.weight = 3;
    b.weight = 1;
    Samples many = samples_of(folder, info_of({a, b}), 40);
    CHECK(many.size() == 40);
    int of_b = 0;
    for (std::int64_t i = 0; i < 40; ++i)
        of_b += read(many, i).front() >= 500;
    CHECK(of_b == 10);
    CHECK_THROWS_WITH_AS(
        samples_of(folder, info_of({a, b}), {}), doctest::Contains("has no end"), Error);
}

TEST_CASE("D4: too little data for a sample or for a part of the split is explained") {
    TemporaryFolder folder;
    DatasetPart small = part_of(folder, "a", 0, {2, 1});
    CHECK_THROWS_WITH_AS(samples_of(folder, info_of({small}), {}),
                         doctest::Contains("gives no sample of 4 tokens"),
                         Error);
    CHECK(samples_of(folder, info_of({small}), 5).size() == 5);  // it is passed seven times
    CHECK_THROWS_WITH_AS(samples_of(folder, info_of({small}), 5, SplitPart::valid, "99,1,0"),
                         doctest::Contains("leaves none of 2 documents to valid"),
                         Error);
    DatasetPart empty = part_of(folder, "b", 0, {0, 0});
    CHECK_THROWS_WITH_AS(
        samples_of(folder, info_of({empty}), 5), doctest::Contains("hold no token"), Error);
}

}  // namespace
}  // namespace stillroom::lm
