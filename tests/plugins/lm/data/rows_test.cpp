#include "plugins/lm/data/rows.h"

#include "engine/base/error.h"
#include "tests/plugins/lm/data/dataset_of.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

using Tokens = std::vector<std::int32_t>;

Rows open(const TemporaryFolder& folder, const DatasetInfo& info, bool short_last = true) {
    write_dataset_info(folder.path(), info);
    return Rows::open(folder.path(), {4, short_last, 0});
}

Tokens row_of(const Rows& rows, std::int64_t row) {
    Tokens out(static_cast<std::size_t>(rows.length()), -1);
    out.resize(static_cast<std::size_t>(rows.read(row, out)));
    return out;
}

TEST_CASE("documents are one stream that is cut every so many tokens, and the last row is short") {
    TemporaryFolder folder;
    DatasetInfo info = info_of({part_of(folder, "a", 0, {3, 0, 5, 2})});
    Rows rows = open(folder, info);
    REQUIRE(rows.size() == 3);
    CHECK(row_of(rows, 0) == Tokens{0, 1, 2, 3});
    CHECK(row_of(rows, 1) == Tokens{4, 5, 6, 7});
    CHECK(row_of(rows, 2) == Tokens{8, 9});
    CHECK(rows.tokens() == 10);
    CHECK(open(folder, info, false).size() == 2);
    CHECK(count_rows(info, 4, true) == Count::exactly(3));
    CHECK(count_rows(info, 4, false) == Count::exactly(2));
}

TEST_CASE("a row knows where documents end in it") {
    TemporaryFolder folder;
    Rows rows = open(folder, info_of({part_of(folder, "a", 0, {0, 3, 0, 5, 2, 0})}));
    CHECK(rows.bounds(0) == Tokens{0, 3, 4});
    CHECK(rows.bounds(1) == Tokens{0, 4});
    CHECK(rows.bounds(2) == Tokens{0, 2});
    TemporaryFolder other;
    CHECK(open(other, info_of({part_of(other, "a", 0, {1, 1, 2})})).bounds(0) ==
          Tokens{0, 1, 2, 4});
}

TEST_CASE("rows of several streams come in the order of a blend by size, short ones last") {
    TemporaryFolder folder;
    DatasetInfo info = info_of({part_of(folder, "a", 0, {13}), part_of(folder, "b", 100, {6})});
    Rows rows = open(folder, info);
    REQUIRE(rows.size() == 6);
    CHECK(row_of(rows, 0).front() == 0);
    CHECK(row_of(rows, 1).front() == 100);
    CHECK(row_of(rows, 2).front() == 4);
    CHECK(row_of(rows, 3).front() == 8);
    CHECK(row_of(rows, 4) == Tokens{12});
    CHECK(row_of(rows, 5) == Tokens{104, 105});
}

TEST_CASE("rows of a weighted blend end when the stream whose turn it is has no whole row left") {
    TemporaryFolder folder;
    DatasetInfo info =
        info_of({part_of(folder, "a", 0, {40}, 3.), part_of(folder, "b", 100, {9}, 1.)});
    Rows rows = open(folder, info);
    std::vector<std::int32_t> firsts;
    for (std::int64_t row = 0; row < rows.size(); ++row)
        firsts.push_back(row_of(rows, row).front());
    CHECK(firsts == Tokens{0, 100, 4, 8, 12, 104, 16, 20, 24});
    Count counted = count_rows(info, 4, true);
    CHECK(counted.least <= rows.size());
    CHECK(*counted.most >= rows.size());
}

TEST_CASE("an id outside the vocabulary is refused when it is read") {
    TemporaryFolder folder;
    DatasetInfo info = info_of({part_of(folder, "a", 997, {4})});
    CHECK_THROWS_AS(row_of(open(folder, info), 0), Error);
    info.vocabulary = 1001;
    CHECK(row_of(open(folder, info), 0) == Tokens{997, 998, 999, 1000});
}

}  // namespace
}  // namespace stillroom::lm
