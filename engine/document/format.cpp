#include "engine/document/format.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/document/yaml_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

using yaml::Layout;

constexpr std::size_t kStep = 2;  // blanks a level

/// Text that means something else at the start of a line.
bool is_mark_at_line_start(std::string_view text) {
    for (std::string_view mark : {"---", "...", "<<<<<<<", "|||||||", "=======", ">>>>>>>", "%"})
        if (text.starts_with(mark))
            return true;
    return false;
}

/// Writes a text again, line by line: every line that begins with content gets the indentation of
/// its level, lines inside a value move with the collection around it, comments go with a
/// neighbour.
class Formatter {
public:
    Formatter(const Document& document, Layout layout)
        : source_(*document.source),
          text_(source_.text()),
          layout_(std::move(layout)) {
        for (const Comment& comment : document.comments)
            if (comment.alone)
                comments_.push_back(source_.offset(comment.where.begin));
        for (const Layout::Mark& mark : layout_.marks)
            if (mark.level == 0 && is_mark_at_line_start(text_.substr(mark.at)))
                root_ = kStep;
    }

    std::string run() {
        std::size_t at = text_.starts_with("\xEF\xBB\xBF") ? 3 : 0;
        while (at < text_.size()) {
            std::size_t end = std::min(text_.find('\n', at), text_.size());
            line(at, end > at && text_[end - 1] == '\r' ? end - 1 : end);
            at = end + 1;
        }
        return std::move(out_);
    }

private:
    void line(std::size_t begin, std::size_t end) {
        while (range_ < layout_.ranges.size() && layout_.ranges[range_].end <= begin)
            ++range_;
        const Layout::Range* range =
            range_ < layout_.ranges.size() ? &layout_.ranges[range_] : nullptr;
        std::size_t content = std::min(text_.find_first_not_of(' ', begin), end);
        if (range && range->begin < begin) {
            inner_line(*range, begin, content, end);
            return;
        }
        content = std::min(text_.find_first_not_of(" \t", begin), end);
        if (content == end) {
            blank_before_ = !out_.empty();
            return;
        }
        if (blank_before_)
            out_ += '\n';
        blank_before_ = false;
        while (mark_ < layout_.marks.size() && layout_.marks[mark_].at < begin)
            ++mark_;
        out_.append(indentation(begin, content), ' ');
        copy(content, end);
        if (!range || range->begin >= end)
            out_.resize(out_.find_last_not_of(" \t") + 1);
        out_ += '\n';
    }

    std::size_t column_of(std::size_t level) const { return root_ + level * kStep; }

    /// Of the line's content: by its mark; of a comment by the line below, or by the line above if
    /// it is indented like that.
    std::size_t indentation(std::size_t begin, std::size_t content) {
        const Layout::Mark* next = mark_ < layout_.marks.size() ? &layout_.marks[mark_] : nullptr;
        if (next && next->at == content) {
            above_column_ = content - begin;
            above_ = column_of(next->level);
            return above_;
        }
        bool comment = std::binary_search(comments_.begin(), comments_.end(), content);
        if (!comment)
            return content - begin;  // a document marker
        std::size_t column = content - begin;
        std::size_t below_column = next ? next->at - source_.line_start(next->at) : 0;
        std::size_t below = next ? column_of(next->level) : 0;
        return column != below_column && above_column_ && column >= *above_column_ ? above_ : below;
    }

    /// A line inside a value moves as far as the collection around the value.
    void inner_line(const Layout::Range& range,
                    std::size_t begin,
                    std::size_t content,
                    std::size_t end) {
        std::ptrdiff_t moved =
            range.column < 0 ? 0
                             : static_cast<std::ptrdiff_t>(column_of(range.level)) - range.column;
        std::ptrdiff_t spaces = static_cast<std::ptrdiff_t>(content - begin) + moved;
        out_.append(static_cast<std::size_t>(std::max<std::ptrdiff_t>(spaces, 0)), ' ');
        copy(content, end);
        if (range.end < end)
            out_.resize(out_.find_last_not_of(" \t") + 1);
        out_ += '\n';
        blank_before_ = false;
    }

    /// The line's content, with one blank behind each '-', '?' and ':' that begins a value of its
    /// line.
    void copy(std::size_t content, std::size_t end) {
        std::size_t from = content;
        for (std::size_t i = mark_; i < layout_.marks.size() && layout_.marks[i].at < end; ++i) {
            const Layout::Mark& mark = layout_.marks[i];
            if (!mark.indicator || mark.at < from)
                continue;
            std::size_t next = std::min(text_.find_first_not_of(" \t", mark.at + 1), end);
            out_ += text_.substr(from, mark.at + 1 - from);
            bool follows = next < end && text_[next] != '#';
            from = follows ? next : mark.at + 1;
            if (follows)
                out_ += ' ';
        }
        out_ += text_.substr(from, end - from);
    }

    const Source& source_;
    std::string_view text_;
    Layout layout_;
    std::size_t root_ = 0;               // its column
    std::vector<std::size_t> comments_;  // those alone on their line
    std::string out_;
    std::size_t mark_ = 0;
    std::size_t range_ = 0;
    bool blank_before_ = false;
    std::optional<std::size_t> above_column_;  // of the last line with a mark, as it was
    std::size_t above_ = 0;                    // and as it is now
};

std::vector<std::string_view> comment_texts(const Document& document) {
    std::vector<std::string_view> texts;
    const Source& source = *document.source;
    for (const Comment& comment : document.comments) {
        std::size_t begin = source.offset(comment.where.begin);
        std::string_view text(source.text());
        texts.push_back(trim(text.substr(begin, source.offset(comment.where.end) - begin)));
    }
    return texts;
}

bool same_values(const Node& a, const Node& b) {
    if (a.op != b.op || a.items.size() != b.items.size() || a.entries.size() != b.entries.size())
        return false;
    for (std::size_t i = 0; i < a.items.size(); ++i)
        if (!same_values(*a.items[i], *b.items[i]))
            return false;
    for (std::size_t i = 0; i < a.entries.size(); ++i)
        if (a.entries[i].key != b.entries[i].key ||
            !same_values(*a.entries[i].value, *b.entries[i].value))
            return false;
    return a.kind == b.kind && a.style == b.style && a.text == b.text;
}

}  // namespace

std::optional<std::string> format(const Document& document, Diagnostics& diagnostics) {
    const Source& source = *document.source;
    if (source.name().ends_with(".json")) {
        diagnostics.error(code::kSyntax, source.span(0, 0), "only YAML is laid out, not JSON");
        return std::nullopt;
    }
    constexpr std::size_t kAny = static_cast<std::size_t>(-1);
    Limits limits{kAny, kAny, kAny, kAny, kAny};  // it was read within its limits
    Layout layout;
    Diagnostics again;
    Document traced = yaml::read(source, limits, again, &layout);
    std::string text = Formatter(traced, std::move(layout)).run();
    Sources sources;
    const Source& written = sources.add(source.name(), text);
    Document checked = read_yaml(written, limits, again);
    bool same = checked.root && same_values(*document.root, *checked.root) &&
                comment_texts(document) == comment_texts(checked);
    if (same)
        return text;
    diagnostics
        .error(code::kSyntax, source.span(0, 0), "the layout of this file cannot be changed safely")
        .with_hint("please report it, with the file");
    return std::nullopt;
}

}  // namespace stillroom
