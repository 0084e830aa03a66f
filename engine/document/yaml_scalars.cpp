#include "engine/document/yaml_scalars.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <array>

namespace stillroom::yaml {
namespace {

/// Characters that may end a plain scalar; all others are taken in one step.
constexpr std::array<bool, 256> kMayEndPlain = [] {
    std::array<bool, 256> table{};
    for (char c : {'\0', '\n', '\r', ' ', '\t', '#', ':', ',', '[', ']', '{', '}'})
        table[static_cast<unsigned char>(c)] = true;
    return table;
}();

bool ends_key(char next, bool in_flow) {
    return is_separator(next) || (in_flow && is_flow_indicator(next));
}

/// What joins two lines of a folded scalar: a blank, or one line feed less than there are breaks.
void append_fold(std::string& out, std::size_t breaks) {
    if (breaks == 1)
        out += ' ';
    else
        out.append(breaks - 1, '\n');
}

struct NextLine {
    std::size_t line = 0;  // where it starts
    std::size_t at = 0;    // its first character that is no blank
    std::ptrdiff_t spaces = 0;
    std::size_t breaks = 0;  // line breaks up to it
    bool exists = false;
};

/// From a line end, looks for the next line that is not blank; the cursor stays where it is.
NextLine find_next_line(const Cursor& cursor, std::size_t at) {
    NextLine next;
    for (;;) {
        if (cursor.look(at) == '\0')
            return next;
        at += cursor.look(at) == '\r' ? 2 : 1;
        ++next.breaks;
        next.line = at;
        while (cursor.look(at) == ' ')
            ++at;
        next.spaces = static_cast<std::ptrdiff_t>(at - next.line);
        while (is_blank(cursor.look(at)))
            ++at;
        if (!is_line_end(cursor.look(at))) {
            next.at = at;
            next.exists = true;
            return next;
        }
    }
}

[[noreturn]] void refuse_open_quote(const Cursor& cursor, const Scalar& scalar) {
    cursor.refuse(code::kUnclosed,
                  scalar.begin,
                  scalar.begin + 1,
                  "this quote is never closed",
                  "close it with the same quote");
}

/// At a line end inside quotes: moves to the next line's text and returns the breaks passed.
std::size_t next_quoted_line(Cursor& cursor, Scalar& scalar, std::ptrdiff_t indent) {
    NextLine next = find_next_line(cursor, cursor.at());
    if (!next.exists || cursor.at_marker(next.line))
        refuse_open_quote(cursor, scalar);
    if (next.spaces <= indent) {
        cursor.refuse_conflict_marker(next.line);
        Diagnostic mistake =
            cursor.mistake(code::kUnclosed,
                           cursor.span(scalar.begin, scalar.begin + 1),
                           "this quote is not closed before a line that cannot be part of it");
        mistake.note(cursor.span(next.at, next.at + 1),
                     fmt::format("indented by {}; to go on inside the quotes it needs {} or more",
                                 next.spaces,
                                 indent + 1));
        cursor.refuse(
            std::move(mistake.with_hint("close the quote, or indent the line by blanks")));
    }
    cursor.enter_line(next.line, next.at);
    scalar.one_line = false;
    return next.breaks;
}

int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/// `digits` hexadecimal digits behind the cursor's `\x`, which it passes.
char32_t hex_escape(Cursor& cursor, std::size_t digits) {
    char32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
        int digit = hex_value(cursor.peek(2 + i));
        if (digit < 0)
            cursor.refuse(
                code::kSyntax,
                cursor.at(),
                cursor.at() + 2,
                fmt::format("'\\{}' needs {} hexadecimal digits", cursor.peek(1), digits));
        value = value * 16 + static_cast<char32_t>(digit);
    }
    cursor.advance(2 + digits);
    return value;
}

/// \u and \U, with the two halves of a surrogate pair as JSON writes them.
char32_t unicode_escape(Cursor& cursor, std::size_t digits) {
    std::size_t begin = cursor.at();
    char32_t value = hex_escape(cursor, digits);
    bool high = value >= 0xD800 && value < 0xDC00;
    if (digits == 4 && high && cursor.peek() == '\\' && cursor.peek(1) == 'u') {
        char32_t low = hex_escape(cursor, 4);
        if (low >= 0xDC00 && low < 0xE000)
            return 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
        cursor.refuse(code::kSyntax,
                      begin,
                      begin + 2 + digits,
                      fmt::format("U+{:04X} is no character", static_cast<std::uint32_t>(value)));
    return value;
}

/// The escape at the cursor, which is at a backslash and not before a line end.
void append_escape(Cursor& cursor, std::string& out) {
    constexpr std::string_view kNames = "0abtnvfre \"/\\N_LP\t";
    constexpr std::array<char32_t, 18> kMeanings = {
        0, 7, 8, 9, 10, 11, 12, 13, 27, ' ', '"', '/', '\\', 0x85, 0xA0, 0x2028, 0x2029, 9};
    char c = cursor.peek(1);
    if (c == 'x' || c == 'u' || c == 'U') {
        append_utf8(out, unicode_escape(cursor, c == 'x' ? 2 : c == 'u' ? 4 : 8));
        return;
    }
    std::size_t found = kNames.find(c);
    if (found == std::string_view::npos || c == '\0') {
        std::size_t end = cursor.at() + 1;
        while ((static_cast<unsigned char>(cursor.look(++end)) & 0xC0) == 0x80) {
        }
        cursor.refuse(code::kSyntax,
                      cursor.at(),
                      end,
                      fmt::format("'{}' is no escape", cursor.slice(cursor.at(), end)),
                      "write '\\\\' for a backslash, or use single quotes");
    }
    append_utf8(out, kMeanings[found]);
    cursor.advance(2);
}

}  // namespace

Scalar plain_on_line(Cursor& cursor, bool in_flow) {
    Scalar scalar;
    scalar.begin = scalar.end = cursor.at();
    for (std::size_t at = cursor.at();;) {
        while (!kMayEndPlain[static_cast<unsigned char>(cursor.look(at))])
            scalar.end = ++at;
        char c = cursor.look(at);
        bool after_blank = at > scalar.end;
        if (is_blank(c)) {
            ++at;
            continue;
        }
        bool ends = is_line_end(c) || (c == '#' && after_blank) ||
                    (c == ':' && ends_key(cursor.look(at + 1), in_flow)) ||
                    (in_flow && is_flow_indicator(c));
        if (ends)
            break;
        scalar.end = ++at;
    }
    scalar.text = cursor.slice(scalar.begin, scalar.end);
    cursor.move_to(scalar.end);
    return scalar;
}

void continue_plain(Cursor& cursor, Scalar& scalar, std::ptrdiff_t indent, bool in_flow) {
    for (;;) {
        std::size_t at = scalar.end;
        while (is_blank(cursor.look(at)))
            ++at;
        if (!is_line_end(cursor.look(at)))
            return;
        NextLine next = find_next_line(cursor, at);
        if (!next.exists || next.spaces <= indent || cursor.at_marker(next.line))
            return;
        cursor.refuse_conflict_marker(next.line);
        char first = cursor.look(next.at);
        bool other = first == '#' || (in_flow && is_flow_indicator(first)) ||
                     (first == ':' && ends_key(cursor.look(next.at + 1), in_flow));
        if (other)
            return;
        cursor.enter_line(next.line, next.at);
        Scalar more = plain_on_line(cursor, in_flow);
        append_fold(scalar.text, next.breaks);
        scalar.text += more.text;
        scalar.end = more.end;
        scalar.one_line = false;
    }
}

Scalar single_quoted(Cursor& cursor, std::ptrdiff_t indent) {
    Scalar scalar;
    scalar.begin = cursor.at();
    scalar.style = Style::single_quoted;
    cursor.advance();
    for (;;) {
        char c = cursor.peek();
        if (c == '\'' && cursor.peek(1) == '\'') {
            scalar.text += '\'';
            cursor.advance(2);
        } else if (c == '\'') {
            cursor.advance();
            scalar.end = cursor.at();
            return scalar;
        } else if (is_line_end(c)) {
            std::size_t solid = scalar.text.find_last_not_of(" \t");
            // Only blanks of this line go; text of earlier lines ends in a fold that is followed by
            // text, so there are none of theirs at the end.
            scalar.text.resize(solid == std::string::npos ? 0 : solid + 1);
            append_fold(scalar.text, next_quoted_line(cursor, scalar, indent));
        } else {
            scalar.text += c;
            cursor.advance();
        }
    }
}

Scalar double_quoted(Cursor& cursor, std::ptrdiff_t indent) {
    Scalar scalar;
    scalar.begin = cursor.at();
    scalar.style = Style::double_quoted;
    cursor.advance();
    std::size_t solid = 0;  // up to here the text may not be trimmed at a line's end
    for (;;) {
        char c = cursor.peek();
        if (c == '"') {
            cursor.advance();
            scalar.end = cursor.at();
            return scalar;
        }
        if (c == '\\' && is_line_end(cursor.peek(1))) {
            cursor.advance();
            scalar.text.append(next_quoted_line(cursor, scalar, indent) - 1, '\n');
            solid = scalar.text.size();
        } else if (c == '\\') {
            append_escape(cursor, scalar.text);
            solid = scalar.text.size();
        } else if (is_line_end(c)) {
            scalar.text.resize(solid);
            append_fold(scalar.text, next_quoted_line(cursor, scalar, indent));
            solid = scalar.text.size();
        } else {
            scalar.text += c;
            cursor.advance();
            if (!is_blank(c))
                solid = scalar.text.size();
        }
    }
}

namespace {

enum class Chomp { clip, strip, keep };

struct BlockHeader {
    Chomp chomp = Chomp::clip;
    std::ptrdiff_t indent = 0;  // as written; 0: to be found out
};

BlockHeader block_header(Cursor& cursor) {
    BlockHeader header;
    bool chomped = false;
    cursor.advance();
    for (;; cursor.advance()) {
        char c = cursor.peek();
        if ((c == '+' || c == '-') && !chomped) {
            header.chomp = c == '+' ? Chomp::keep : Chomp::strip;
            chomped = true;
        } else if (c >= '1' && c <= '9' && header.indent == 0) {
            header.indent = c - '0';
        } else {
            break;
        }
    }
    std::size_t after = cursor.at();
    cursor.skip_blanks();
    if (cursor.peek() == '#')
        cursor.skip_comment();
    if (!cursor.at_line_end())
        cursor.refuse(code::kSyntax,
                      after,
                      after + 1,
                      "text right behind '|' or '>'",
                      "begin the text on the next line, or quote it");
    cursor.skip_line_break();
    return header;
}

/// The indentation of a block text that does not state it: that of its first line that is not
/// blank, at least `least`.
std::ptrdiff_t find_indent(const Cursor& cursor, std::ptrdiff_t least) {
    std::ptrdiff_t widest = 0;
    std::size_t widest_at = 0;
    for (std::size_t at = cursor.at();;) {
        std::size_t line = at;
        while (cursor.look(at) == ' ')
            ++at;
        auto spaces = static_cast<std::ptrdiff_t>(at - line);
        if (!is_line_end(cursor.look(at))) {
            bool inside = spaces >= least;
            if (inside && widest > spaces)
                cursor.refuse(
                    code::kIndentation,
                    widest_at,
                    widest_at + static_cast<std::size_t>(widest),
                    fmt::format(
                        "a blank line indented by {}, deeper than the text's {}", widest, spaces),
                    "shorten the blank line");
            return inside ? spaces : std::max(least, widest);
        }
        if (spaces > widest) {
            widest = spaces;
            widest_at = line;
        }
        if (cursor.look(at) == '\0')
            return std::max(least, widest);
        at += cursor.look(at) == '\r' ? 2 : 1;
    }
}

}  // namespace

Scalar block_text(Cursor& cursor, std::ptrdiff_t indent) {
    Scalar scalar;
    scalar.begin = cursor.at();
    scalar.one_line = false;
    bool folded = cursor.peek() == '>';
    scalar.style = folded ? Style::folded : Style::literal;
    BlockHeader header = block_header(cursor);
    scalar.end = scalar.begin + 1;
    std::ptrdiff_t inner = header.indent > 0 ? std::max<std::ptrdiff_t>(indent, 0) + header.indent
                                             : find_indent(cursor, indent + 1);
    std::size_t breaks = 0;  // since the last line of content
    bool any = false;
    bool deeper_before = false;  // the last line began with a blank, so its breaks are not folded
    while (!cursor.at_end()) {
        std::size_t line = cursor.at(), at = line;
        while (static_cast<std::ptrdiff_t>(at - line) < inner && cursor.look(at) == ' ')
            ++at;
        std::size_t end = at;
        while (!is_line_end(cursor.look(end)))
            ++end;
        auto spaces = static_cast<std::ptrdiff_t>(at - line);
        if (end > at) {
            if (spaces < inner && cursor.look(at) == '\t')
                cursor.refuse(
                    code::kTab, at, at + 1, "a tab in indentation", "indent the text by blanks");
            if (spaces < inner || cursor.at_marker(line))
                break;
            bool deeper = is_blank(cursor.look(at));
            if (any && folded && !deeper && !deeper_before)
                append_fold(scalar.text, breaks);
            else
                scalar.text.append(breaks, '\n');
            scalar.text += cursor.slice(at, end);
            scalar.end = end;
            any = true;
            breaks = 0;
            deeper_before = deeper;
        }
        cursor.move_to(end);
        cursor.skip_line_break();
        ++breaks;
    }
    if (header.chomp == Chomp::keep)
        scalar.text.append(breaks, '\n');
    else if (header.chomp == Chomp::clip && any)
        scalar.text += '\n';
    return scalar;
}

}  // namespace stillroom::yaml
