#include "engine/document/yaml_cursor.h"

#include "engine/base/codes.h"
#include "engine/document/encoding.h"

#include <fmt/format.h>

namespace stillroom::yaml {

Cursor::Cursor(const Source& source, Diagnostics& diagnostics, std::vector<Comment>& comments)
    : source_(source),
      text_(source.text()),
      diagnostics_(diagnostics),
      comments_(comments),
      at_(skip_byte_order_mark(text_)),
      line_(at_) {}

bool Cursor::skip_blanks() {
    bool tab = false;
    while (is_blank(peek()))
        tab |= text_[at_++] == '\t';
    return tab;
}

void Cursor::skip_line_break() {
    if (peek() == '\r')
        ++at_;
    if (peek() == '\n')
        ++at_;
    line_ = at_;
}

void Cursor::skip_comment() {
    if (at_ > line_ && !is_blank(text_[at_ - 1]))
        refuse(code::kSyntax,
               at_,
               at_ + 1,
               "a comment without a blank before '#'",
               "put a blank before '#', or quote the text");
    std::size_t end = std::min(text_.find('\n', at_), text_.size());
    if (end > at_ && text_[end - 1] == '\r')
        --end;
    bool alone = text_.find_first_not_of(" \t", line_) == at_;
    comments_.push_back({span(at_, end), alone});
    at_ = end;
}

bool Cursor::next_content() {
    for (;;) {
        while (peek() == ' ')
            ++at_;
        std::size_t indented = at_;
        bool tab = skip_blanks();
        if (peek() == '#')
            skip_comment();
        if (at_end()) {
            ended_ = true;
            return false;
        }
        if (at_line_end()) {
            skip_line_break();
            continue;
        }
        if (tab)
            refuse(code::kTab, indented, indented + 1, "a tab in indentation", "indent by blanks");
        if (at_ == line_) {
            if (at_marker(line_)) {
                ended_ = true;
                return false;
            }
            refuse_conflict_marker(line_);
        }
        return true;
    }
}

bool Cursor::at_marker(std::size_t line) const {
    std::string_view mark = text_.substr(std::min(line, text_.size()), 3);
    return (mark == "---" || mark == "...") && is_separator(look(line + 3));
}

void Cursor::refuse_conflict_marker(std::size_t line) const {
    for (std::string_view mark : {"<<<<<<<", "|||||||", "=======", ">>>>>>>"})
        if (text_.substr(line, 7) == mark && is_separator(look(line + 7)))
            refuse(code::kConflictMarker,
                   line,
                   line + 7,
                   fmt::format("'{}' is a mark of an unfinished merge", mark),
                   "keep one side of the conflict and remove the marks");
}

Diagnostic Cursor::mistake(int code, Span where, std::string message) const {
    Diagnostic diagnostic;
    diagnostic.code = code;
    diagnostic.where = where;
    diagnostic.message = std::move(message);
    return diagnostic;
}

Diagnostic& Cursor::report(int code, Span where, std::string message) {
    if (mistakes_ == kMostMistakes)
        refuse(mistake(code,
                       where,
                       fmt::format("more than {} mistakes; the rest is not read", kMostMistakes)));
    ++mistakes_;
    return diagnostics_.error(code, where, std::move(message));
}

void Cursor::refuse(
    int code, std::size_t begin, std::size_t end, std::string message, std::string hint) const {
    Diagnostic diagnostic = mistake(code, span(begin, end), std::move(message));
    diagnostic.hint = std::move(hint);
    refuse(std::move(diagnostic));
}

void Cursor::refuse(Diagnostic diagnostic) const {
    diagnostics_.add(std::move(diagnostic));
    throw Refused{};
}

void Cursor::warn(int code, Span where, std::string message, std::string hint) {
    diagnostics_.warning(code, where, std::move(message)).with_hint(std::move(hint));
}

}  // namespace stillroom::yaml
