#include "plugins/data/inspection.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "plugins/lm/data/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>

namespace stillroom::data {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kPiece = std::int64_t{1} << 20;        ///< tokens read at once
constexpr std::int64_t kMostCounted = std::int64_t{1} << 22;  ///< ids told apart

const char* word(lm::TokenType type) {
    switch (type) {
        case lm::TokenType::u8:
            return "u8";
        case lm::TokenType::i8:
            return "i8";
        case lm::TokenType::i16:
            return "i16";
        case lm::TokenType::u16:
            return "u16";
        case lm::TokenType::i32:
            return "i32";
        default:
            return "i64";
    }
}

std::int64_t end_of(const lm::IndexedDataset& data, std::int64_t bound) {
    return bound == 0 ? 0 : data.last_token(bound - 1);
}

std::vector<std::int64_t> document_lengths(const lm::IndexedDataset& data) {
    std::vector<std::int64_t> lengths;
    std::span<const std::int64_t> bounds = data.document_bounds();
    lengths.reserve(bounds.size());
    for (std::size_t i = 1; i < bounds.size(); ++i)
        lengths.push_back(end_of(data, bounds[i]) - end_of(data, bounds[i - 1]));
    return lengths;
}

LengthStats stats_of(std::vector<std::int64_t> lengths) {
    LengthStats out;
    if (lengths.empty())
        return out;
    std::sort(lengths.begin(), lengths.end());
    out.least = lengths.front();
    out.most = lengths.back();
    double sum = 0;
    std::map<std::int64_t, std::int64_t> histogram;
    for (std::int64_t length : lengths) {
        sum += static_cast<double>(length);
        out.empty += length == 0;
        ++histogram[static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(length)))];
    }
    out.mean = sum / static_cast<double>(lengths.size());
    for (int percent : {10, 50, 90, 99})
        out.percentiles.emplace_back(
            percent, lengths[(lengths.size() - 1) * static_cast<std::size_t>(percent) / 100]);
    out.histogram.assign(histogram.begin(), histogram.end());
    return out;
}

/// Bytes of a token that was cut become question marks.
std::string valid_text(std::string text) {
    while (std::optional<std::size_t> bad = find_invalid_utf8(text))
        text[*bad] = '?';
    return text;
}

class Inspector {
public:
    Inspector(const fs::path& folder,
              const InspectSettings& settings,
              const lm::Tokenizer* tokenizer,
              const InspectionWatch& watch)
        : settings_(settings),
          tokenizer_(tokenizer),
          watch_(watch),
          data_(std::make_shared<const lm::DatasetFolder>(lm::open_dataset(folder))) {
        out_.info = data_->info;
        vocabulary_ =
            data_->vocabulary(tokenizer ? static_cast<std::int64_t>(tokenizer->vocab_size())
                                        : std::int64_t{std::numeric_limits<std::int32_t>::max()});
    }

    Inspection run() {
        check_tokenizer();
        for (std::size_t i = 0; i < data_->parts.size(); ++i)
            out_.parts.push_back(part(i));
        show_rows();
        return std::move(out_);
    }

private:
    void check_tokenizer() {
        if (!tokenizer_ || out_.info.tokenizer.empty())
            return;
        std::string digest = lm::vocabulary_digest(*tokenizer_);
        if (digest != out_.info.tokenizer)
            throw Error({},
                        fmt::format("another tokenizer made the dataset: {}, this one is {}",
                                    out_.info.tokenizer.substr(0, 12),
                                    digest.substr(0, 12)))
                .hint("give the tokenizer that data.tokenize was given, or none")
                .exit_code(kExitBadInput);
    }

    PartInspection part(std::size_t index) {
        const lm::IndexedDataset& data = data_->parts[index];
        PartInspection out;
        out.type = word(data.type());
        out.documents = data.documents();
        out.sequences = data.sequences();
        out.tokens = data.tokens();
        out.bytes = static_cast<std::uint64_t>(data.tokens()) *
                    static_cast<std::uint64_t>(lm::bytes_of(data.type()));
        out.lengths = stats_of(document_lengths(data));
        out.ids = scan(data, index);
        std::span<const std::int64_t> bounds = data.document_bounds();
        for (std::int64_t i = 0; i < std::min(settings_.documents, data.documents()); ++i) {
            std::int64_t first = end_of(data, bounds[static_cast<std::size_t>(i)]);
            std::int64_t last = end_of(data, bounds[static_cast<std::size_t>(i) + 1]);
            ShownTokens shown;
            shown.index = i;
            shown.length = last - first;
            shown.ids.resize(
                static_cast<std::size_t>(std::min(shown.length, settings_.show_tokens)));
            data.read(first, shown.ids, vocabulary_);
            decode(shown);
            out.shown.push_back(std::move(shown));
        }
        return out;
    }

    IdStats scan(const lm::IndexedDataset& data, std::size_t index) {
        IdStats out;
        out.scanned = std::min(settings_.scan, data.tokens());
        std::vector<std::int64_t> counts;
        std::vector<std::int32_t> ids;
        out.least = out.scanned > 0 ? std::numeric_limits<std::int32_t>::max() : 0;
        for (std::int64_t at = 0; at < out.scanned; at += kPiece) {
            double done = static_cast<double>(at) / static_cast<double>(out.scanned);
            watch_.progress((static_cast<double>(index) + done) /
                            static_cast<double>(data_->parts.size()));
            ids.resize(static_cast<std::size_t>(std::min(kPiece, out.scanned - at)));
            data.read(at, ids, vocabulary_);
            for (std::int32_t id : ids) {
                out.least = std::min<std::int64_t>(out.least, id);
                out.most = std::max<std::int64_t>(out.most, id);
                if (id >= kMostCounted)
                    continue;
                auto place = static_cast<std::size_t>(id);
                if (place >= counts.size())
                    counts.resize(place + 1);
                ++counts[place];
            }
        }
        for (std::size_t id = 0; id < counts.size(); ++id) {
            out.distinct += counts[id] > 0;
            if (counts[id] > 0 && is_special(static_cast<std::int64_t>(id)))
                out.special[static_cast<std::int64_t>(id)] = counts[id];
        }
        return out;
    }

    /// Also notes how it is spelled.
    bool is_special(std::int64_t id) {
        bool known = tokenizer_ && id < static_cast<std::int64_t>(tokenizer_->vocab_size());
        bool special = known && tokenizer_->is_special(static_cast<std::uint32_t>(id));
        if (!special && id != out_.info.eod.value_or(std::numeric_limits<std::uint32_t>::max()))
            return false;
        std::optional<std::string_view> token;
        if (known)
            token = tokenizer_->token_of(static_cast<std::uint32_t>(id));
        out_.names[id] = token ? valid_text(std::string(*token)) : "end of text";
        return true;
    }

    void decode(ShownTokens& shown) const {
        if (!tokenizer_)
            return;
        std::vector<std::uint32_t> ids(shown.ids.begin(), shown.ids.end());
        shown.text = valid_text(tokenizer_->decode(ids));
    }

    /// As training would see them first.
    void show_rows() {
        out_.sequence = settings_.sequence;
        for (const lm::IndexedDataset& one : data_->parts)
            out_.samples += std::max<std::int64_t>(one.tokens() - 1, 0) / settings_.sequence;
        if (settings_.rows == 0)
            return;
        lm::SampleRequest request;
        request.sequence = settings_.sequence;
        request.samples = settings_.rows;
        request.seed = settings_.seed;
        try {
            lm::Samples samples(data_, request);
            for (std::int64_t row = 0; row < std::min(settings_.rows, samples.size()); ++row)
                show_row(samples, row);
        } catch (const Error& error) {
            out_.no_rows = error.what();
        }
    }

    void show_row(const lm::Samples& samples, std::int64_t row) {
        ShownTokens shown;
        shown.index = row;
        shown.length = settings_.sequence + 1;
        shown.ids.resize(static_cast<std::size_t>(shown.length));
        samples.read(row, shown.ids, vocabulary_);
        shown.ids.resize(static_cast<std::size_t>(std::min(shown.length, settings_.show_tokens)));
        shown.bounds = samples.bounds(row);
        decode(shown);
        out_.rows.push_back(std::move(shown));
    }

    const InspectSettings& settings_;
    const lm::Tokenizer* tokenizer_;
    const InspectionWatch& watch_;
    std::shared_ptr<const lm::DatasetFolder> data_;
    std::int64_t vocabulary_ = 0;
    Inspection out_;
};

}  // namespace

Inspection inspect(const fs::path& folder,
                   const InspectSettings& settings,
                   const lm::Tokenizer* tokenizer,
                   const InspectionWatch& watch) {
    return Inspector(folder, settings, tokenizer, watch).run();
}

}  // namespace stillroom::data
