#include "plugins/lm/data/micro_batch.h"

#include "engine/base/error.h"
#include "plugins/lm/data/numpy_random.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

namespace stillroom::lm {
namespace {

MicroBatch blank(std::int64_t rows, std::int64_t length, std::int32_t padding) {
    std::int64_t tokens = rows * length;
    if (tokens > std::numeric_limits<std::int32_t>::max())
        throw Error({}, fmt::format("a batch of {} x {} tokens is too large", rows, length))
            .exit_code(kExitUsage);
    auto count = static_cast<std::size_t>(tokens);
    MicroBatch batch{rows, length, {}, {}, {}, {}, {0}};
    batch.inputs.assign(count, padding);
    batch.labels.assign(count, padding);
    batch.counts.assign(count, 0);
    batch.positions.assign(count, 0);
    return batch;
}

/// Ends a sequence, unless it is empty.
void end_at(MicroBatch& batch, std::int64_t place) {
    if (auto end = static_cast<std::int32_t>(place); end != batch.starts.back())
        batch.starts.push_back(end);
}

/// A whole row that is there: restarts behind each end of a document.
void restart(MicroBatch& batch, std::int64_t begin, const AtDocumentEnd& at_end) {
    std::int64_t start = begin;
    for (std::int64_t place = begin; place < begin + batch.length; ++place) {
        auto i = static_cast<std::size_t>(place);
        batch.positions[i] = static_cast<std::int32_t>(place - start);
        if (!at_end.eod || batch.inputs[i] != static_cast<std::int32_t>(*at_end.eod))
            continue;
        if (at_end.mask)
            batch.counts[i] = 0;
        if (at_end.reset_attention)
            end_at(batch, place + 1);
        if (at_end.reset_positions)
            start = place + 1;
    }
    end_at(batch, begin + batch.length);
}

/// A row into its place; what is behind it stays padding, in the same sequence.
void put(MicroBatch& batch, const TextRow& row, std::int64_t begin, std::int64_t room) {
    auto count = std::min<std::int64_t>(static_cast<std::int64_t>(row.ids.size()), room);
    for (std::int64_t j = 0; j < room; ++j)
        batch.positions[static_cast<std::size_t>(begin + j)] = static_cast<std::int32_t>(j);
    for (std::int64_t j = 0; j < count; ++j) {
        auto from = static_cast<std::size_t>(j);
        auto to = static_cast<std::size_t>(begin + j);
        batch.inputs[to] = row.ids[from];
        if (j + 1 == count)
            break;
        batch.labels[to] = row.ids[from + 1];
        batch.counts[to] = row.supervised.empty() || row.supervised[from + 1] != 0;
    }
    end_at(batch, begin + room);
}

/// The first of many bins with room enough, in a tree of the most room below.
class FirstFit {
public:
    FirstFit(std::size_t bins, std::int64_t capacity)
        : width_(std::bit_ceil(std::max<std::size_t>(bins, 1))),
          room_(width_ * 2, capacity) {}

    std::size_t put(std::int64_t length) {
        std::size_t at = 1;
        while (at < width_) {
            at *= 2;
            if (room_[at] < length)
                ++at;
        }
        std::size_t bin = at - width_;
        room_[at] -= length;
        for (at /= 2; at > 0; at /= 2)
            room_[at] = std::max(room_[at * 2], room_[at * 2 + 1]);
        return bin;
    }

private:
    std::size_t width_;
    std::vector<std::int64_t> room_;
};

}  // namespace

std::int64_t MicroBatch::counted() const {
    return std::count(counts.begin(), counts.end(), std::uint8_t{1});
}

std::int64_t count_batches(std::int64_t samples, const BatchRequest& request) {
    std::int64_t left = std::max<std::int64_t>(samples - request.first_sample, 0);
    return left / (request.micro_batch * request.ranks);
}

MicroBatch micro_batch(const Samples& samples, const BatchRequest& request, std::int64_t index) {
    std::int64_t first =
        request.first_sample + (index * request.ranks + request.rank) * request.micro_batch;
    if (first < 0 || request.micro_batch > samples.size() - first)
        throw Error({},
                    fmt::format("samples {} to {} are asked for, there are {}",
                                first,
                                first + request.micro_batch - 1,
                                samples.size()))
            .hint("fewer steps, a smaller batch or more data")
            .exit_code(kExitBadInput);
    MicroBatch batch = blank(request.micro_batch, samples.sequence(), 0);
    auto length = static_cast<std::size_t>(samples.sequence());
    std::vector<std::int32_t> tokens(length + 1);
    std::fill(batch.counts.begin(), batch.counts.end(), std::uint8_t{1});
    for (std::int64_t row = 0; row < batch.rows; ++row) {
        samples.read(first + row, tokens, request.vocabulary);
        std::int64_t begin = row * batch.length;
        std::copy_n(tokens.begin(), length, batch.inputs.begin() + begin);
        std::copy_n(tokens.begin() + 1, length, batch.labels.begin() + begin);
        restart(batch, begin, request.at_end);
    }
    return batch;
}

MicroBatch padded_batch(std::span<const TextRow> rows, std::int64_t length, std::int32_t padding) {
    if (length == 0)
        for (const TextRow& row : rows)
            length = std::max(length, static_cast<std::int64_t>(row.ids.size()));
    MicroBatch batch = blank(static_cast<std::int64_t>(rows.size()), length, padding);
    for (std::size_t i = 0; i < rows.size(); ++i)
        put(batch, rows[i], static_cast<std::int64_t>(i) * length, length);
    return batch;
}

MicroBatch packed_batch(std::span<const TextRow> rows,
                        std::int64_t multiple,
                        std::int32_t padding) {
    auto room_of = [&](const TextRow& row) {
        auto size = static_cast<std::int64_t>(row.ids.size());
        return (size + multiple - 1) / multiple * multiple;
    };
    std::int64_t length = 0;
    for (const TextRow& row : rows)
        length += room_of(row);
    MicroBatch batch = blank(1, length, padding);
    std::int64_t begin = 0;
    for (const TextRow& row : rows) {
        put(batch, row, begin, room_of(row));
        begin += room_of(row);
    }
    return batch;
}

std::vector<std::vector<std::int64_t>> pack_bins(std::span<const std::int64_t> lengths,
                                                 std::int64_t capacity,
                                                 std::uint32_t seed) {
    std::vector<std::int64_t> order(lengths.size());
    std::iota(order.begin(), order.end(), std::int64_t{0});
    auto length_of = [&](std::int64_t row) {
        return std::min(lengths[static_cast<std::size_t>(row)], capacity);
    };
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        return length_of(a) > length_of(b);
    });
    FirstFit fit(lengths.size(), capacity);
    std::vector<std::vector<std::int64_t>> bins;
    for (std::int64_t row : order) {
        std::size_t bin = fit.put(length_of(row));
        if (bin >= bins.size())
            bins.resize(bin + 1);
        bins[bin].push_back(row);
    }
    NumpyRandom(seed).shuffle(std::span(bins));
    return bins;
}

}  // namespace stillroom::lm
