// What the grammar says where it cannot go on: the likely slip, in our words, at its place.

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/document/yaml_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::yaml {
namespace {

std::string first_line(std::string_view text) {
    return shorten(text.substr(0, text.find_first_of("\r\n")), 40);
}

}  // namespace

void Reader::refuse_nesting(const Start& start) const {
    std::size_t at = cursor_.at();
    char c = cursor_.peek();
    if (start.may_nest)
        cursor_.refuse(code::kSyntax,
                       at,
                       at + 1,
                       fmt::format("an anchor or tag before '{}' on its line", c),
                       "put it on the line above, or behind");
    if (start.parent == Parent::root)
        cursor_.refuse(code::kSyntax,
                       at,
                       at + 1,
                       "a map or list on the line of '---'",
                       "begin it on the next line");
    if (start.parent != Parent::value)
        cursor_.refuse(code::kTab,
                       start.begin,
                       start.begin + 1,
                       "a tab before a map or list within a line",
                       "put blanks there");
    if (c == ':')
        cursor_.refuse(code::kSyntax,
                       at,
                       at + 1,
                       "a second ': ' in one line",
                       "quote the value, or put the inner map on lines of its own");
    cursor_.refuse(code::kSyntax,
                   at,
                   at + 1,
                   fmt::format("'{} ' on the line of its key", c),
                   "begin on the next line, or quote the value");
}

/// At the ':' of a key that began at `begin` in the line that starts at `line`.
void Reader::check_key(std::size_t begin, std::size_t line) {
    constexpr std::size_t kLongest = 1024;  // characters, by YAML's rules
    std::size_t at = cursor_.at();
    if (cursor_.line() != line)
        cursor_.refuse(code::kKey,
                       begin,
                       begin + 1,
                       "a key over several lines",
                       "put the key and its ':' on one line");
    if (at - begin <= kLongest)
        return;
    std::string_view text = cursor_.slice(begin, at);
    auto characters = std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    });
    if (static_cast<std::size_t>(characters) > kLongest)
        cursor_.refuse(code::kKey,
                       begin,
                       begin + 1,
                       fmt::format("a key of more than {} characters", kLongest),
                       "shorten it");
}

void Reader::refuse_indentation(std::ptrdiff_t column) const {
    std::ptrdiff_t here = cursor_.column();
    std::ptrdiff_t neighbours = last_column_ > here ? last_column_ : column;
    cursor_.refuse(
        code::kIndentation,
        cursor_.at(),
        cursor_.at() + 1,
        fmt::format("this line is indented by {}, its neighbours by {}", here, neighbours),
        "indent the keys of one map, and the items of one list, alike");
}

/// The text of a plain scalar that stands where a key is expected.
void Reader::refuse_missing_colon(const Scalar& scalar) const {
    std::string text = first_line(cursor_.slice(scalar.begin, scalar.end));
    bool glued = scalar.style == Style::plain && text.find(':') != std::string::npos;
    std::size_t end = std::min(scalar.end, scalar.begin + text.size());
    cursor_.refuse(
        code::kKey,
        scalar.begin,
        end,
        fmt::format("key '{}' without ': '", text),
        glued ? "a blank is missing behind ':'" : fmt::format("write `{}: value`", text));
}

void Reader::refuse_trailing_text(const Scalar* scalar) const {
    std::size_t at = cursor_.at();
    bool colon = cursor_.at_indicator(':');
    bool plain = scalar && scalar->style == Style::plain;
    if (colon && plain && !scalar->one_line) {
        std::size_t before = scalar->begin;
        while (before > 0 && is_blank(cursor_.look(before - 1)))
            --before;
        if (before == 0 || cursor_.look(before - 1) == '\n')
            refuse_missing_colon(*scalar);
        cursor_.refuse(code::kSyntax,
                       at,
                       at + 1,
                       "a ': ' inside a value that goes on from the line above",
                       "quote the value; if this is a key, indent it as its neighbours are");
    }
    if (colon)
        cursor_.refuse(code::kSyntax, at, at + 1, "a second ': ' in one line", "quote the value");
    if (!scalar)
        cursor_.refuse(code::kSyntax,
                       at,
                       at + 1,
                       "text behind a closing bracket",
                       "quote the whole value, or remove the text");
    if (scalar->style != Style::plain)
        cursor_.refuse(code::kSyntax,
                       at,
                       at + 1,
                       "text behind a closing quote",
                       "quote the whole value, or remove the text");
    cursor_.refuse(code::kSyntax, at, at + 1, "text behind a finished value");
}

void Reader::refuse_flow_separator(char close) const {
    std::size_t at = cursor_.at(), open = brackets_.back();
    char c = cursor_.peek();
    if (c == '{' && at > 0 && cursor_.look(at - 1) == '$')
        cursor_.refuse(code::kSyntax,
                       at - 1,
                       at + 1,
                       "'${' inside brackets is no interpolation but a new map",
                       "quote the interpolation: \"${...}\"");
    if (c == ']' || c == '}') {
        Diagnostic mistake =
            cursor_.mistake(code::kUnclosed,
                            cursor_.span(open, open + 1),
                            fmt::format("this '{}' is never closed", cursor_.look(open)));
        mistake.note(cursor_.span(at, at + 1),
                     fmt::format("a '{}' is needed before this '{}'", close, c));
        cursor_.refuse(std::move(mistake));
    }
    if (c == ':')
        cursor_.refuse(code::kSyntax,
                       at,
                       at + 1,
                       "a second ': ' in one entry",
                       "put ',' between entries, or quote the value");
    cursor_.refuse(code::kSyntax,
                   at,
                   at + 1,
                   fmt::format("a ',' or '{}' is missing before this", close),
                   "quote the text if it is one value");
}

/// Refuses what a plain scalar cannot begin with.
void Reader::refuse_plain_start(bool in_flow) const {
    std::size_t at = cursor_.at();
    char c = cursor_.peek(), next = cursor_.peek(1);
    bool alone = is_separator(next) || (in_flow && is_flow_indicator(next));
    if (c == ':' && alone)
        cursor_.refuse(
            code::kKey, at, at + 1, "a key is missing before ':'", "write \"\": if it is empty");
    if ((c == '-' || c == '?') && alone)
        cursor_.refuse(code::kSyntax,
                       at,
                       at + 1,
                       fmt::format("a lone '{}' inside brackets", c),
                       "quote it; a list inside brackets is written [a, b]");
    if (c == '@' || c == '`' || c == '%')
        cursor_.refuse(code::kSyntax,
                       at,
                       at + 1,
                       fmt::format("a plain value cannot start with '{}'", c),
                       "quote it");
    if (c == ']' || c == '}')
        cursor_.refuse(code::kUnclosed,
                       at,
                       at + 1,
                       fmt::format("a '{}' that closes nothing", c),
                       "remove it, or quote the text");
    if (c == ',' || c == '#' || c == '|' || c == '>')
        cursor_.refuse(code::kSyntax,
                       at,
                       at + 1,
                       fmt::format("a value inside brackets cannot start with '{}'", c),
                       "quote it");
}

}  // namespace stillroom::yaml
