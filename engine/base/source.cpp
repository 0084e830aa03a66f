#include "engine/base/source.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace stillroom {

std::string Position::text() const {
    if (file.empty())
        return "";
    return fmt::format("{}:{}:{}", file, line, column);
}

Source::Source(std::string name, std::string text, std::uint32_t base, int argument)
    : name_(std::move(name)),
      text_(std::move(text)),
      base_(base),
      argument_(argument) {}

std::filesystem::path Source::folder() const {
    if (is_argument())
        return ".";
    std::filesystem::path parent = std::filesystem::path(name_).parent_path();
    return parent.empty() ? std::filesystem::path(".") : parent;
}

Place Source::place(std::size_t offset) const {
    return {base_ + static_cast<std::uint32_t>(std::min(offset, text_.size()))};
}

const std::vector<std::uint32_t>& Source::lines() const {
    if (lines_.empty()) {
        lines_.push_back(0);
        for (std::size_t i = text_.find('\n'); i != std::string::npos; i = text_.find('\n', i + 1))
            lines_.push_back(static_cast<std::uint32_t>(i + 1));
    }
    return lines_;
}

std::size_t Source::line_start(std::size_t offset) const {
    const auto& starts = lines();
    return *(std::upper_bound(starts.begin(), starts.end(), offset) - 1);
}

Position Source::position(std::size_t offset) const {
    offset = std::min(offset, text_.size());
    const auto& starts = lines();
    auto after = std::upper_bound(starts.begin(), starts.end(), offset);
    std::string_view before = std::string_view(text_).substr(*(after - 1), offset - *(after - 1));
    if (before.data() == text_.data() && before.starts_with("\xEF\xBB\xBF"))
        before.remove_prefix(3);  // a byte order mark is no character
    auto is_first_byte = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
    int column = 1 + static_cast<int>(std::count_if(before.begin(), before.end(), is_first_byte));
    int line = static_cast<int>(after - starts.begin());
    if (is_argument())
        return {"argv", argument_, column};
    return {name_, line, column};
}

std::string_view Source::line(std::size_t offset) const {
    std::size_t start = line_start(std::min(offset, text_.size()));
    std::size_t end = std::min(text_.find('\n', start), text_.size());
    if (end > start && text_[end - 1] == '\r')
        --end;
    return std::string_view(text_).substr(start, end - start);
}

const Source& Sources::insert(std::string name, std::string text, int argument) {
    std::size_t room = text.size() + 2;  // its end is a place too, and belongs to no other source
    if (room > std::numeric_limits<std::uint32_t>::max() - next_)
        throw Error({}, "the texts read together pass 4 GiB").exit_code(kExitUsage);
    sources_.push_back(std::make_unique<Source>(std::move(name), std::move(text), next_, argument));
    next_ += static_cast<std::uint32_t>(room);
    return *sources_.back();
}

const Source& Sources::add(std::string name, std::string text) {
    return insert(std::move(name), std::move(text), 0);
}

const Source& Sources::add_argument(int index, std::string text) {
    return insert(fmt::format("argv:{}", index), std::move(text), index);
}

const Source* Sources::find(Place place) const {
    if (!place)
        return nullptr;
    auto after = std::partition_point(sources_.begin(), sources_.end(), [&](const auto& source) {
        return source->place(0).at <= place.at;
    });
    if (after == sources_.begin())
        return nullptr;
    const Source& source = **(after - 1);
    return source.holds(place) ? &source : nullptr;
}

Position Sources::position(Place place) const {
    const Source* source = find(place);
    return source ? source->position(source->offset(place)) : Position{};
}

std::string_view Sources::slice(Span span) const {
    const Source* source = find(span.begin);
    if (!source || span.end < span.begin)
        return {};
    return std::string_view(source->text())
        .substr(source->offset(span.begin), span.end.at - span.begin.at);
}

}  // namespace stillroom
