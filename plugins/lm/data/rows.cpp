#include "plugins/lm/data/rows.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace stillroom::lm {
namespace {

std::vector<std::int64_t> whole_rows(const DatasetFolder& data, std::int64_t length) {
    std::vector<std::int64_t> rows;
    for (const IndexedDataset& part : data.parts)
        rows.push_back(part.tokens() / length);
    return rows;
}

/// By weight, until a stream is used up when its turn has come.
BlendOrder weighted_order(const DatasetInfo& info, std::span<const std::int64_t> rows) {
    std::vector<double> weights;
    for (const DatasetPart& part : info.parts)
        weights.push_back(part.weight.value_or(1));
    weights = normalized(weights);
    // No more than the rarest stream allows, and some: the greedy order rounds.
    double most = std::numeric_limits<double>::max();
    for (std::size_t d = 0; d < rows.size(); ++d)
        most = std::min(most, (static_cast<double>(rows[d]) + 2) / weights[d]);
    std::int64_t all = 0;
    for (std::int64_t one : rows)
        all += one;
    auto size = static_cast<std::int64_t>(std::min(most, static_cast<double>(all))) + 1;
    BlendOrder order = blend_order(weights, size);
    std::size_t end = 0;
    while (end < order.dataset.size() &&
           order.sample[end] < rows[static_cast<std::size_t>(order.dataset[end])])
        ++end;
    order.dataset.resize(end);
    order.sample.resize(end);
    return order;
}

BlendOrder order_of(const DatasetFolder& data, const Rows::Options& options) {
    std::vector<std::int64_t> rows = whole_rows(data, options.length);
    if (data.info.weighted())
        return weighted_order(data.info, rows);
    BlendOrder order = exhaustive_order(rows);
    if (options.short_last)
        for (std::size_t d = 0; d < rows.size(); ++d)
            if (data.parts[d].tokens() % options.length != 0) {
                order.dataset.push_back(static_cast<std::int16_t>(d));
                order.sample.push_back(rows[d]);
            }
    return order;
}

}  // namespace

Rows Rows::open(const std::filesystem::path& folder, const Options& options) {
    return Rows(open_dataset(folder), options);
}

Rows::Rows(DatasetFolder data, const Options& options) : data_(std::move(data)), options_(options) {
    if (options_.length < 1)
        throw Error({}, fmt::format("rows of {} tokens are none", options_.length))
            .exit_code(kExitUsage);
    std::int64_t own = data_.vocabulary(std::numeric_limits<std::int32_t>::max());
    if (options_.vocabulary == 0)
        options_.vocabulary = own;
    order_ = order_of(data_, options_);
}

std::int64_t Rows::length(std::int64_t row) const {
    auto [part, index] = order_.at(row);
    return std::min(options_.length, data_.parts[part].tokens() - index * options_.length);
}

std::int64_t Rows::tokens() const {
    std::int64_t sum = 0;
    for (std::int64_t row = 0; row < size(); ++row)
        sum += length(row);
    return sum;
}

std::int64_t Rows::read(std::int64_t row, std::span<std::int32_t> into) const {
    auto [part, index] = order_.at(row);
    std::int64_t count = length(row);
    data_.parts[part].read(
        index * options_.length, into.first(static_cast<std::size_t>(count)), options_.vocabulary);
    return count;
}

std::vector<std::int32_t> Rows::bounds(std::int64_t row) const {
    auto [part, index] = order_.at(row);
    const IndexedDataset& data = data_.parts[part];
    std::int64_t first = index * options_.length;
    std::int64_t last = first + length(row);
    std::span<const std::int64_t> documents = data.document_bounds();
    // Of a document the end, counted in tokens.
    auto end_of = [&](std::int64_t sequence) {
        return sequence == 0 ? std::int64_t{0} : data.last_token(sequence - 1);
    };
    auto at = std::upper_bound(
        documents.begin(), documents.end(), first, [&](std::int64_t token, std::int64_t sequence) {
            return token < end_of(sequence);
        });
    std::vector<std::int32_t> out{0};
    for (; at != documents.end() && end_of(*at) < last; ++at)
        if (auto end = static_cast<std::int32_t>(end_of(*at) - first); end != out.back())
            out.push_back(end);
    out.push_back(static_cast<std::int32_t>(last - first));
    return out;
}

Count count_rows(const DatasetInfo& info, std::int64_t length, bool short_last) {
    std::int64_t over = short_last && !info.weighted() ? length - 1 : 0;
    Count rows = Count::exactly(0);
    for (const DatasetPart& part : info.parts) {
        Count one{(part.tokens.least + over) / length, {}};
        if (part.tokens.most)
            one.most = (*part.tokens.most + over) / length;
        rows = rows + one;
    }
    // How soon the first stream of a weighted blend is used up is not worked out here.
    if (info.weighted() && info.parts.size() > 1)
        rows.least = std::min<std::int64_t>(rows.least, 0);
    return rows;
}

}  // namespace stillroom::lm
