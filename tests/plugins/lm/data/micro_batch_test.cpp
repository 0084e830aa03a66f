#include "plugins/lm/data/micro_batch.h"

#include "engine/base/error.h"
#include "plugins/lm/data/batch_reader.h"
#include "tests/plugins/lm/data/dataset_of.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

using Ints = std::vector<std::int32_t>;
using Bytes = std::vector<std::uint8_t>;

/// The samples of one pair of files: 3 documents of 8 tokens, the last of each ends it.
class Fixture {
public:
    explicit Fixture(std::int64_t samples = 12) {
        IndexedWriter writer(folder_ / "a", TokenType::u16);
        for (std::uint32_t first : {0U, 10U, 20U}) {
            std::vector<std::uint32_t> ids(8, 99);
            std::iota(ids.begin(), ids.end() - 1, first);
            writer.add_document(ids);
        }
        writer.close();
        DatasetInfo info =
            info_of({{"a", "", {}, Count::exactly(3), Count::exactly(writer.tokens())}});
        write_dataset_info(folder_.path(), info);
        auto data = std::make_shared<const DatasetFolder>(open_dataset(folder_.path()));
        SampleRequest request;
        request.sequence = 6;
        request.samples = samples;
        samples_.emplace(data, request);
    }
    const Samples& samples() const { return *samples_; }

private:
    TemporaryFolder folder_;
    std::optional<Samples> samples_;
};

BatchRequest request_of(std::int64_t micro_batch, std::int64_t rank = 0, std::int64_t ranks = 1) {
    BatchRequest request;
    request.micro_batch = micro_batch;
    request.rank = rank;
    request.ranks = ranks;
    request.vocabulary = 1000;
    return request;
}

TEST_CASE("labels are the next tokens, and a row is one sequence") {
    Fixture fixture;
    MicroBatch batch = micro_batch(fixture.samples(), request_of(2), 1);
    CHECK(batch.rows == 2);
    CHECK(batch.starts == Ints{0, 6, 12});
    CHECK(batch.counted() == 12);
    for (std::size_t row = 0; row < 2; ++row) {
        Ints tokens(7);
        fixture.samples().read(2 + static_cast<std::int64_t>(row), tokens, 1000);
        for (std::size_t j = 0; j < 6; ++j) {
            CHECK(batch.inputs[row * 6 + j] == tokens[j]);
            CHECK(batch.labels[row * 6 + j] == tokens[j + 1]);
            CHECK(batch.positions[row * 6 + j] == static_cast<std::int32_t>(j));
        }
    }
}

TEST_CASE("two ranks together see what one sees, in its order") {
    Fixture fixture;
    for (std::int64_t turn = 0; turn < 3; ++turn) {
        Ints alone, together;
        for (std::int64_t i : {2 * turn, 2 * turn + 1}) {
            MicroBatch one = micro_batch(fixture.samples(), request_of(2), i);
            alone.insert(alone.end(), one.inputs.begin(), one.inputs.end());
        }
        for (std::int64_t rank : {0, 1}) {
            MicroBatch one = micro_batch(fixture.samples(), request_of(2, rank, 2), turn);
            together.insert(together.end(), one.inputs.begin(), one.inputs.end());
        }
        CHECK(alone == together);
    }
    BatchRequest later = request_of(2);
    later.first_sample = 4;
    CHECK(micro_batch(fixture.samples(), later, 0).inputs ==
          micro_batch(fixture.samples(), request_of(2), 2).inputs);
    CHECK(count_batches(12, later) == 4);
    CHECK(count_batches(12, request_of(4, 1, 2)) == 1);
}

TEST_CASE("at a document's end positions and attention restart and the loss is masked, if asked") {
    Fixture fixture;
    BatchRequest request = request_of(1);
    request.at_end = {99, true, true, true};
    bool seen = false;
    for (std::int64_t i = 0; i < 12; ++i) {
        MicroBatch batch = micro_batch(fixture.samples(), request, i);
        Ints starts{0};
        std::int32_t position = 0;
        for (std::size_t j = 0; j < 6; ++j) {
            CHECK(batch.positions[j] == position);
            CHECK(batch.counts[j] == (batch.inputs[j] != 99));
            ++position;
            if (batch.inputs[j] == 99) {
                seen = true;
                position = 0;
                starts.push_back(static_cast<std::int32_t>(j) + 1);
            }
        }
        if (starts.back() != 6)
            starts.push_back(6);
        CHECK(batch.starts == starts);
    }
    CHECK(seen);
}

TEST_CASE("a reader gives the same batches, and an error in its turn") {
    Fixture fixture;
    BatchReader reader(fixture.samples(), request_of(1), 3);
    std::int64_t count = fixture.samples().size();
    for (std::int64_t i = 0; i < count; ++i)
        CHECK(reader.next().inputs == micro_batch(fixture.samples(), request_of(1), i).inputs);
    CHECK_THROWS_WITH_AS(reader.next(), doctest::Contains("there are"), Error);
    CHECK_THROWS_AS(reader.next(), Error);
    BatchRequest small = request_of(1);
    small.vocabulary = 5;
    BatchReader bad(fixture.samples(), small);
    CHECK_THROWS_WITH_AS(bad.next(), doctest::Contains("the vocabulary has 5"), Error);
}

TEST_CASE("rows of their own length are padded beside each other or packed behind each other") {
    Ints a{1, 2, 3}, b{4}, c{5, 6};
    Bytes answer{0, 0, 1};
    std::vector<TextRow> rows{{a, answer}, {b, {}}, {c, {}}};
    MicroBatch padded = padded_batch(rows, 0, 9);
    CHECK(padded.inputs == Ints{1, 2, 3, 4, 9, 9, 5, 6, 9});
    CHECK(padded.labels == Ints{2, 3, 9, 9, 9, 9, 6, 9, 9});
    CHECK(padded.counts == Bytes{0, 1, 0, 0, 0, 0, 1, 0, 0});
    CHECK(padded.starts == Ints{0, 3, 6, 9});
    MicroBatch packed = packed_batch(rows, 2, 9);
    CHECK(packed.rows == 1);
    CHECK(packed.inputs == Ints{1, 2, 3, 9, 4, 9, 5, 6});
    CHECK(packed.counts == Bytes{0, 1, 0, 0, 0, 0, 1, 0});
    CHECK(packed.positions == Ints{0, 1, 2, 3, 0, 1, 0, 1});
    CHECK(packed.starts == Ints{0, 4, 6, 8});
    CHECK(padded_batch(rows, 2, 9).inputs == Ints{1, 2, 4, 9, 5, 6});
    CHECK(packed_batch({}, 1, 0).inputs.empty());
}

TEST_CASE("bins are filled longest first, each row into the first with room") {
    std::vector<std::int64_t> lengths{2, 7, 5, 3, 30, 3};
    auto bins = pack_bins(lengths, 10, 3);
    std::sort(bins.begin(), bins.end());
    CHECK(bins == std::vector<std::vector<std::int64_t>>{{1, 3}, {2, 5, 0}, {4}});
    CHECK(pack_bins({}, 10, 3).empty());
}

}  // namespace
}  // namespace stillroom::lm
