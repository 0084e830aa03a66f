#include "plugins/lm/tokenizer/merge_texts.h"

#include "plugins/lm/tokenizer/beside.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {

MergeTexts::MergeTexts(JsonCursor& in) : at_begin_(in), text_(in.text()) {
    in.peek();
    begin_ = in.at();
    merges_.reserve((text_.size() - begin_) / 48);
    in.array([&] {
        Merge next;
        if (in.peek() == '[')
            next = pair(in);
        else if (!line(in, next))
            return;
        if (merges_.size() == kMostTokens)
            throw in.error(fmt::format("more than {} merges", kMostTokens));
        merges_.push_back(next);
    });
    end_ = in.at();
}

MergeTexts::Part MergeTexts::part(const JsonCursor& in, std::string_view text) {
    auto size = static_cast<std::uint32_t>(text.size());  // files are of 512 MiB
    if (!in.is_decoded(text))
        return {static_cast<std::uint32_t>(text.data() - text_.data()), size};
    auto begin = static_cast<std::uint32_t>(decoded_.size());
    decoded_ += text;
    return {begin, size | kDecoded};
}

Merge MergeTexts::pair(JsonCursor& in) {
    Part parts[2];
    std::size_t count = 0;
    in.array([&] {
        Part next = part(in, in.string());
        if (count < 2)
            parts[count] = next;
        ++count;
    });
    if (count != 2)
        throw in.error(fmt::format("merge {} has {} parts, not 2", merges_.size(), count));
    return as_texts(parts[0], parts[1]);
}

/// false: it is none, but says which version wrote them.
bool MergeTexts::line(JsonCursor& in, Merge& out) {
    std::string_view line = in.string();
    if (line.starts_with("#version"))
        return false;
    std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos || line.find(' ', blank + 1) != std::string_view::npos)
        throw in.error(fmt::format(
            "merge {} is '{}', not two parts with a blank between", merges_.size(), line));
    Part whole = part(in, line);
    auto left = static_cast<std::uint32_t>(blank);
    std::uint32_t where = whole.size & kDecoded, size = whole.size & ~kDecoded;
    out =
        as_texts({whole.begin, left | where}, {whole.begin + left + 1, (size - left - 1) | where});
    return true;
}

std::string_view MergeTexts::text_of(Part part) const {
    if (part.size & kDecoded)
        return std::string_view(decoded_).substr(part.begin, part.size & ~kDecoded);
    return {text_.data() + part.begin, part.size};
}

namespace {

/// Finds what pairs make. Most files make token after token in the order of their ids, some of them
/// several times.
class Joiner {
public:
    explicit Joiner(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

    std::uint32_t join(std::string_view left, std::string_view right) {
        for (std::uint32_t id : {last_ + 1, last_})
            if (vocabulary_.is_joined(id, left, right))
                return last_ = id;
        joined_ = left;
        joined_ += right;
        return last_ = vocabulary_.find(joined_);
    }
    const std::string& joined() const { return joined_; }  ///< that was looked for last

private:
    const Vocabulary& vocabulary_;
    std::uint32_t last_ = 0;
    std::string joined_;
};

}  // namespace

void MergeTexts::look_up(const Vocabulary& vocabulary,
                         std::size_t prefix,
                         std::size_t from,
                         std::size_t to) {
    constexpr std::size_t kAtOnce = 32;
    std::string_view parts[2 * kAtOnce];
    std::uint32_t ids[2 * kAtOnce];
    Joiner joiner(vocabulary);
    std::size_t rank = from;
    auto need = [&](std::uint32_t id, std::string_view text) {
        if (id == Vocabulary::kNone)
            throw at_begin_.error(
                begin_,
                fmt::format(
                    "merge {} needs the token '{}', which the vocabulary lacks", rank, text));
    };
    while (rank < to) {
        std::size_t count = std::min(kAtOnce, to - rank);
        for (std::size_t i = 0; i < count; ++i) {
            parts[2 * i] = text_of(left_of(merges_[rank + i]));
            parts[2 * i + 1] = text_of(right_of(merges_[rank + i]));
        }
        vocabulary.find_all({parts, 2 * count}, ids);
        for (std::size_t i = 0; i < 2 * count; i += 2, ++rank) {
            need(ids[i], parts[i]);
            need(ids[i + 1], parts[i + 1]);
            std::string_view right = parts[i + 1];
            right.remove_prefix(std::min(prefix, right.size()));
            std::uint32_t made = joiner.join(parts[i], right);
            need(made, joiner.joined());
            merges_[rank] = {ids[i], ids[i + 1], made, static_cast<std::uint32_t>(rank)};
        }
    }
}

LargeVector<Merge> MergeTexts::look_up(const Vocabulary& vocabulary, std::size_t prefix) && {
    constexpr std::size_t kWorthThread = 20'000;
    std::size_t count = merges_.size(), middle = count < kWorthThread ? count : count / 2;
    Beside<void> others =
        beside([&] { look_up(vocabulary, prefix, middle, count); }, middle < count);
    look_up(vocabulary, prefix, 0, middle);
    others.get();
    return std::move(merges_);
}

}  // namespace stillroom::lm
