#include "plugins/lm/data/samples.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stillroom::lm {
namespace {

constexpr double kOver = 1 + 0.005;

std::int64_t share_of(double weight, std::int64_t samples) {
    return static_cast<std::int64_t>(std::ceil(static_cast<double>(samples) * weight));
}

std::vector<double> weights_of(const DatasetInfo& info) {
    std::vector<double> weights;
    for (const DatasetPart& part : info.parts)
        weights.push_back(part.weight.value_or(1));
    return normalized(weights);
}

}  // namespace

std::vector<std::int64_t> blend_sizes(std::span<const double> weights, std::int64_t samples) {
    std::vector<std::int64_t> sizes;
    for (double weight : weights)
        sizes.push_back(static_cast<std::int64_t>(
            std::ceil(static_cast<double>(share_of(weight, samples)) * kOver)));
    return sizes;
}

Samples::Samples(std::shared_ptr<const DatasetFolder> data, const SampleRequest& request)
    : data_(std::move(data)),
      request_(request),
      split_(Split::parse(request.split)) {
    const DatasetInfo& info = data_->info;
    if (info.parts.size() > kMostBlended)
        throw Error(
            {}, fmt::format("a blend of {} datasets, {} can be", info.parts.size(), kMostBlended))
            .exit_code(kExitBadInput);
    blended_ = info.parts.size() > 1 || info.weighted();
    if (info.weighted())
        blend_by_weight();
    else if (blended_)
        blend_by_size();
    else
        add(0, request_.samples);
    if (size() == 0)
        throw Error({},
                    fmt::format("{} gives no sample of {} tokens and the one to foresee: it has {}",
                                info.parts.front().prefix.string(),
                                request_.sequence,
                                data_->tokens()))
            .hint("give more data or a shorter sequence")
            .exit_code(kExitBadInput);
}

void Samples::add(std::size_t part, std::optional<std::int64_t> samples) {
    const IndexedDataset& data = data_->parts[part];
    SequenceRange range = split_.range(request_.part, data.sequences());
    try {
        if (range.size() == 0)
            throw Error({},
                        fmt::format("split '{}' leaves none of {} documents to {}",
                                    request_.split,
                                    data.sequences(),
                                    word(request_.part)))
                .hint("give that part a larger share, or data of its own")
                .exit_code(kExitBadInput);
        parts_.emplace_back(data, range, request_.sequence, samples, request_.seed);
    } catch (Error& error) {
        error.note({}, fmt::format("in {}", data.prefix().string()));
        throw;
    }
}

void Samples::blend_by_weight() {
    if (!request_.samples)
        throw Error({}, "a blend with weights has no end: say how many samples are wanted")
            .exit_code(kExitUsage);
    std::vector<double> weights = weights_of(data_->info);
    std::vector<std::int64_t> sizes = blend_sizes(weights, *request_.samples);
    std::int64_t all = 0;
    for (std::size_t part = 0; part < sizes.size(); ++part) {
        add(part, sizes[part]);
        all += share_of(weights[part], *request_.samples);
    }
    order_ = blend_order(normalized(weights), all);
    check_order();
}

/// Parts too small for a sample have no share.
void Samples::blend_by_size() {
    std::vector<std::int64_t> sizes;
    for (std::size_t part = 0; part < data_->parts.size(); ++part) {
        add(part, std::nullopt);
        sizes.push_back(parts_.back().size());
    }
    std::int64_t all = 0;
    for (std::int64_t size : sizes)
        all += size;
    if (!request_.samples || all == 0) {
        order_ = exhaustive_order(sizes);
        return;
    }
    if (*request_.samples > all)
        throw Error({},
                    fmt::format("{} samples are wanted, the blend has {} without repetition",
                                *request_.samples,
                                all))
            .hint("give the blend weights: then data is repeated")
            .exit_code(kExitBadInput);
    std::erase_if(parts_, [](const GptDataset& part) { return part.size() == 0; });
    std::vector<double> weights;
    for (const GptDataset& part : parts_)
        weights.push_back(static_cast<double>(part.size()));
    order_ = blend_order(normalized(weights), *request_.samples);
    check_order();
}

/// The greedy order rounds, and may ask for a sample too many.
void Samples::check_order() const {
    for (std::int64_t i = 0; i < order_.size(); ++i) {
        auto [part, sample] = order_.at(i);
        if (sample >= parts_[part].size())
            throw Error({},
                        fmt::format("the blend asks for sample {} of {}, which has {}",
                                    sample + 1,
                                    parts_[part].data().prefix().string(),
                                    parts_[part].size()))
                .hint("ask for a few samples less")
                .exit_code(kExitBadInput);
    }
}

void Samples::read(std::int64_t sample,
                   std::span<std::int32_t> into,
                   std::int64_t vocabulary) const {
    if (!blended_)
        return parts_.front().read(sample, into, vocabulary);
    auto [part, index] = order_.at(sample);
    parts_[part].read(index, into, vocabulary);
}

std::vector<std::int32_t> Samples::bounds(std::int64_t sample) const {
    if (!blended_)
        return parts_.front().bounds(sample);
    auto [part, index] = order_.at(sample);
    return parts_[part].bounds(index);
}

}  // namespace stillroom::lm
