#include "plugins/lm/data/gpt_indices.h"

#include "engine/base/error.h"
#include "plugins/lm/data/npy.h"
#include "plugins/lm/data/numpy_random.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace stillroom::lm {
namespace {

constexpr std::int64_t kMostSamples = (std::int64_t{1} << 32) - 3;
constexpr std::int64_t kMostSequence = std::int64_t{1} << 30;
constexpr std::int64_t kMostSequences = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMostSeed = (std::int64_t{1} << 32) - 1;
constexpr std::int64_t kMostPlaces = std::int64_t{1} << 36;  ///< of documents, all epochs
constexpr double kSeparate = 0.80;  ///< share of an epoch below which the last one stands apart
constexpr std::size_t kAhead = 16;  ///< documents whose lengths are fetched before their turn

[[noreturn]] void refuse(int code, const std::string& why, const std::string& hint = {}) {
    Error error({}, why);
    error.exit_code(code);
    if (!hint.empty())
        error.hint(hint);
    throw error;
}

void within(const char* what, std::int64_t value, std::int64_t least, std::int64_t most) {
    if (value < least || value > most)
        refuse(kExitUsage, fmt::format("{} is {}, {} to {} can be", what, value, least, most));
}

std::int64_t tokens_before(std::span<const std::int64_t> ends, std::int64_t sequence) {
    return sequence == 0 ? 0 : ends[static_cast<std::size_t>(sequence) - 1];
}

/// Smallest number of passes that gives so many samples and the token after the last.
std::int64_t epochs_for(std::int64_t tokens,
                        std::int64_t sequence,
                        std::optional<std::int64_t> samples) {
    if (!samples)
        return 1;
    std::int64_t wanted = *samples * sequence + 1;  // both are bounded: it fits
    return std::max<std::int64_t>(1, (wanted + tokens - 1) / tokens);
}

/// All epochs, shuffled together or the last one apart.
std::vector<std::int32_t> shuffled_documents(SequenceRange range,
                                             std::int64_t epochs,
                                             bool separate_last,
                                             NumpyRandom& random) {
    auto each = static_cast<std::size_t>(range.size());
    std::vector<std::int32_t> documents(each * static_cast<std::size_t>(epochs));
    for (std::size_t at = 0; at < documents.size(); at += each)
        std::iota(documents.begin() + static_cast<std::ptrdiff_t>(at),
                  documents.begin() + static_cast<std::ptrdiff_t>(at + each),
                  static_cast<std::int32_t>(range.first));
    std::span<std::int32_t> all = documents;
    if (separate_last) {
        random.shuffle(all.first(all.size() - each));
        random.shuffle(all.last(each));
    } else {
        random.shuffle(all);
    }
    return documents;
}

/// Cuts the joined documents: a sample takes sequence + 1 tokens, the next one begins at its last.
template <class T>
std::vector<T> cut(std::span<const std::int64_t> ends,
                   std::span<const std::int32_t> documents,
                   std::int64_t sequence,
                   std::int64_t samples) {
    std::vector<T> starts;
    starts.reserve(static_cast<std::size_t>(samples + 1) * 2);
    std::size_t place = 0;
    std::int64_t offset = 0;
    auto length_at = [&](std::size_t at) {
        auto document = static_cast<std::size_t>(documents[at]);
        return ends[document] - (document == 0 ? 0 : ends[document - 1]);
    };
    for (std::int64_t sample = 0;; ++sample) {
        starts.push_back(static_cast<T>(place));
        starts.push_back(static_cast<T>(offset));
        if (sample == samples)
            return starts;
        std::int64_t left = sequence + 1;
        for (;;) {
            std::int64_t here = length_at(place) - offset;
            if (left <= here) {
                offset += left - 1;
                break;
            }
            left -= here;
            offset = 0;
            ++place;
            if (place + kAhead < documents.size())
                __builtin_prefetch(&ends[static_cast<std::size_t>(documents[place + kAhead])]);
        }
    }
}

std::vector<std::uint32_t> shuffled_samples(std::int64_t first,
                                            std::int64_t all,
                                            NumpyRandom& random) {
    std::vector<std::uint32_t> order(static_cast<std::size_t>(all));
    std::iota(order.begin(), order.end(), std::uint32_t{0});
    auto part = static_cast<std::size_t>(first);
    random.shuffle(std::span(order).first(part));
    random.shuffle(std::span(order).subspan(part));
    return order;
}

}  // namespace

GptIndices build_gpt_indices(std::span<const std::int64_t> ends,
                             SequenceRange range,
                             std::int64_t sequence,
                             std::optional<std::int64_t> samples,
                             std::int64_t seed) {
    within("sequence", sequence, 2, kMostSequence);
    within("seed", seed, 0, kMostSeed);
    if (samples)
        within("samples", *samples, 0, kMostSamples);
    if (range.last > kMostSequences)
        refuse(kExitBadInput,
               fmt::format("{} sequences are more than {}", range.last, kMostSequences));
    std::int64_t tokens = tokens_before(ends, range.last) - tokens_before(ends, range.first);
    if (tokens == 0)
        refuse(kExitBadInput, fmt::format("{} documents hold no token", range.size()));
    GptIndices out;
    out.sequence = sequence;
    out.epochs = epochs_for(tokens, sequence, samples);
    if (out.epochs > kMostPlaces / range.size())
        refuse(kExitBadInput,
               fmt::format("{} tokens would be passed {} times for {} samples of {}",
                           tokens,
                           out.epochs,
                           *samples,
                           sequence),
               "give more data, or ask for less");
    std::int64_t all = (out.epochs * tokens - 1) / sequence;
    if (all > kMostSamples)
        refuse(kExitUsage, fmt::format("{} samples are more than {}", all, kMostSamples));
    std::int64_t before_last = all;
    if (out.epochs > 1) {
        std::int64_t sans = ((out.epochs - 1) * tokens - 1) / sequence;
        std::int64_t each = (tokens - 1) / sequence;
        out.separate_last =
            *samples - sans < static_cast<std::int64_t>(kSeparate * static_cast<double>(each));
        if (out.separate_last)
            before_last = sans;
    }
    NumpyRandom random(static_cast<std::uint32_t>(seed));
    out.documents = shuffled_documents(range, out.epochs, out.separate_last, random);
    if (out.documents.size() <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        out.narrow_starts = cut<std::int32_t>(ends, out.documents, sequence, all);
    else
        out.wide_starts = cut<std::int64_t>(ends, out.documents, sequence, all);
    out.shuffled = shuffled_samples(before_last, all, random);
    return out;
}

void export_npy(const GptIndices& indices, const std::filesystem::path& prefix) {
    auto file = [&](const char* name) {
        std::filesystem::path path = prefix;
        path += fmt::format("-{}_index.npy", name);
        return path;
    };
    write_npy<std::int32_t>(file("document"), indices.documents);
    if (indices.wide_starts.empty())
        write_npy<std::int32_t>(file("sample"), indices.narrow_starts, 2);
    else
        write_npy<std::int64_t>(file("sample"), indices.wide_starts, 2);
    write_npy<std::uint32_t>(file("shuffle"), indices.shuffled);
}

}  // namespace stillroom::lm
