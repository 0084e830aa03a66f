#pragma once

#include "engine/document/document.h"

#include <string>
#include <string_view>

namespace stillroom::yaml {

/// Thrown after the diagnostic was written, where reading cannot go on.
struct Refused {};

/// How many mistakes of one file are collected before reading stops.
inline constexpr std::size_t kMostMistakes = 100;

inline bool is_blank(char c) {
    return c == ' ' || c == '\t';
}
/// NUL is the end of the text: a text that holds one was refused.
inline bool is_line_end(char c) {
    return c == '\n' || c == '\r' || c == '\0';
}
inline bool is_separator(char c) {
    return is_blank(c) || is_line_end(c);
}
inline bool is_flow_indicator(char c) {
    return c == ',' || c == '[' || c == ']' || c == '{' || c == '}';
}

/// A place in the text that knows its line: moves over blanks, comments and line ends, and says
/// what is wrong with them.
class Cursor {
public:
    Cursor(const Source& source, Diagnostics& diagnostics, std::vector<Comment>& comments);

    char peek(std::size_t ahead = 0) const { return look(at_ + ahead); }
    char look(std::size_t at) const { return at < text_.size() ? text_[at] : '\0'; }
    std::size_t at() const { return at_; }
    std::size_t line() const { return line_; }  ///< where the line starts
    std::ptrdiff_t column() const { return static_cast<std::ptrdiff_t>(at_ - line_); }
    std::string_view slice(std::size_t begin, std::size_t end) const {
        return text_.substr(begin, end - begin);
    }
    std::string_view slice(Span where) const {
        return slice(source_.offset(where.begin), source_.offset(where.end));
    }

    /// An indicator such as '-' counts only before a blank or the end of the line.
    bool at_indicator(char c) const { return peek() == c && is_separator(peek(1)); }
    bool at_line_end() const { return is_line_end(peek()); }
    bool at_end() const { return at_ >= text_.size(); }

    void move_to(std::size_t at) { at_ = at; }  ///< on the same line
    void advance(std::size_t bytes = 1) { at_ += bytes; }
    void start_line(std::size_t at) { at_ = line_ = at; }
    void enter_line(std::size_t line, std::size_t at) {
        line_ = line;
        at_ = at;
    }

    bool skip_blanks();      ///< true if there was a tab among them
    void skip_line_break();  ///< at a line end: to the start of the next line
    void skip_comment();     ///< at '#'; refuses one without a blank before it

    /// From the start of a line to the first character of content in it or below. False at a
    /// document marker and at the end of the text.
    bool next_content();
    bool ended() const { return ended_; }
    void pass_marker() {
        ended_ = false;
        at_ += 3;
    }

    /// `---` or `...` at the start of a line.
    bool at_marker(std::size_t line) const;
    /// Refuses the marks that version control leaves in a file.
    void refuse_conflict_marker(std::size_t line) const;

    Span span(std::size_t begin, std::size_t end) const { return source_.span(begin, end); }
    /// Writes a mistake down. Reading goes on until there are too many.
    Diagnostic& report(int code, Span where, std::string message);
    /// As above, and reading ends.
    [[noreturn]] void refuse(int code,
                             std::size_t begin,
                             std::size_t end,
                             std::string message,
                             std::string hint = "") const;
    [[noreturn]] void refuse(Diagnostic diagnostic) const;
    Diagnostic mistake(int code, Span where, std::string message) const;
    void warn(int code, Span where, std::string message, std::string hint);
    std::size_t mistakes() const { return mistakes_; }

private:
    const Source& source_;
    std::string_view text_;
    Diagnostics& diagnostics_;
    std::vector<Comment>& comments_;
    std::size_t at_ = 0;
    std::size_t line_ = 0;
    bool ended_ = false;
    std::size_t mistakes_ = 0;
};

}  // namespace stillroom::yaml
