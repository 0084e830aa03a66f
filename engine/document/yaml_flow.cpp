#include "engine/base/codes.h"
#include "engine/document/yaml_reader.h"

#include <fmt/format.h>

namespace stillroom::yaml {

/// Blanks, line ends and comments inside brackets. A line of content there is indented deeper than
/// the block collection around the brackets.
void Reader::skip_flow_space(std::ptrdiff_t indent) {
    std::size_t open = brackets_.back();
    auto never_closed = [&] {
        return cursor_.mistake(code::kUnclosed,
                               cursor_.span(open, open + 1),
                               fmt::format("this '{}' is never closed", cursor_.look(open)));
    };
    for (bool at_start = false;;) {
        while (at_start && cursor_.peek() == ' ')
            cursor_.advance();
        std::ptrdiff_t spaces = cursor_.column();
        cursor_.skip_blanks();
        if (cursor_.peek() == '#')
            cursor_.skip_comment();
        if (cursor_.at_end())
            cursor_.refuse(never_closed());
        if (cursor_.at_line_end()) {
            cursor_.skip_line_break();
            at_start = true;
            continue;
        }
        if (!at_start)
            return;
        if (cursor_.at_marker(cursor_.line()))
            cursor_.refuse(never_closed());
        cursor_.refuse_conflict_marker(cursor_.line());
        if (spaces > indent)
            return;
        Span here = cursor_.span(cursor_.at(), cursor_.at() + 1);
        char c = cursor_.peek();
        if (c != ']' && c != '}') {
            Diagnostic mistake = never_closed();
            mistake.note(here, "this line is not indented deeply enough to stand inside");
            cursor_.refuse(std::move(mistake));
        }
        Diagnostic mistake = cursor_.mistake(
            code::kIndentation,
            here,
            fmt::format("'{}' is indented by {}; inside a map or list it needs {} or more",
                        c,
                        spaces,
                        indent + 1));
        mistake.note(cursor_.span(open, open + 1), "it closes this bracket");
        cursor_.refuse(std::move(mistake.with_hint("put blanks before the bracket")));
    }
}

bool Reader::at_flow_colon(bool json_key) const {
    char next = cursor_.peek(1);
    return cursor_.peek() == ':' && (json_key || is_separator(next) || is_flow_indicator(next));
}

bool Reader::at_explicit_flow_key() const {
    char next = cursor_.peek(1);
    return cursor_.peek() == '?' && (is_separator(next) || is_flow_indicator(next));
}

Value Reader::flow_node(std::ptrdiff_t indent) {
    Properties properties;
    while (cursor_.peek() == '&' || cursor_.peek() == '!') {
        if (cursor_.peek() == '&')
            builder_.read_anchor(properties, true);
        else
            builder_.read_tag(properties, true);
        last_end_ = cursor_.at();
        skip_flow_space(indent);
    }
    char c = cursor_.peek();
    node_begin_ = cursor_.at();
    json_key_ = c == '"' || c == '\'' || c == '[' || c == '{';
    bool nothing = c == ',' || c == ']' || c == '}' || at_flow_colon(false);
    if (properties.any() && nothing) {
        node_begin_ = last_end_;
        return builder_.empty(last_end_, properties);
    }
    if (c == '[' || c == '{') {
        std::size_t begin = node_begin_;
        Value value = flow_collection(indent, properties);
        node_begin_ = begin;
        json_key_ = true;
        return value;
    }
    if (c == '*') {
        if (properties.any())
            cursor_.refuse(code::kAlias,
                           node_begin_,
                           node_begin_ + 1,
                           "an alias with an anchor or tag of its own");
        Value value = builder_.read_alias(true, depth_);
        last_end_ = cursor_.at();
        return value;
    }
    Scalar scalar;
    if (json_key_) {
        scalar = quoted(indent);
    } else {
        refuse_plain_start(true);
        scalar = plain_on_line(cursor_, true);
        continue_plain(cursor_, scalar, indent, true);
    }
    last_end_ = cursor_.at();
    return builder_.scalar(std::move(scalar), properties);
}

Value Reader::flow_collection(std::ptrdiff_t indent, const Properties& properties) {
    std::size_t begin = cursor_.at();
    bool is_map = cursor_.peek() == '{';
    char close = is_map ? '}' : ']';
    Collection collection =
        builder_.open(is_map ? Kind::map : Kind::list, Style::flow, begin, ++depth_);
    brackets_.push_back(begin);
    cursor_.advance();
    for (;;) {
        skip_flow_space(indent);
        char c = cursor_.peek();
        if (c == close)
            break;
        if (c == ',')
            cursor_.refuse(code::kSyntax,
                           cursor_.at(),
                           cursor_.at() + 1,
                           "nothing stands before this ','",
                           "remove it, or write null");
        if (c == ']' || c == '}')
            refuse_flow_separator(close);
        if (is_map)
            flow_map_entry(collection, indent);
        else
            flow_list_item(collection, indent);
        skip_flow_space(indent);
        if (cursor_.peek() == ',')
            cursor_.advance();
        else if (cursor_.peek() != close)
            refuse_flow_separator(close);
    }
    cursor_.advance();
    last_end_ = cursor_.at();
    brackets_.pop_back();
    --depth_;
    return builder_.close(std::move(collection), last_end_, properties);
}

/// What follows a ':' inside brackets, or null.
Value Reader::flow_value(std::ptrdiff_t indent) {
    cursor_.advance();
    last_end_ = cursor_.at();
    skip_flow_space(indent);
    char c = cursor_.peek();
    if (c == ',' || c == ']' || c == '}')
        return builder_.empty(last_end_, {});
    return flow_node(indent);
}

void Reader::flow_map_entry(Collection& map, std::ptrdiff_t indent) {
    bool is_explicit = at_explicit_flow_key();
    if (is_explicit) {
        cursor_.advance();
        skip_flow_space(indent);
    }
    char c = cursor_.peek();
    if (at_flow_colon(false) || (is_explicit && (c == ',' || c == '}')))
        cursor_.refuse(code::kKey,
                       cursor_.at(),
                       cursor_.at() + 1,
                       "a key is missing here",
                       "write \"\": if it is empty");
    Value node = flow_node(indent);
    Span where = cursor_.span(node_begin_, last_end_);
    std::size_t end = last_end_;
    bool json_key = json_key_;
    Key key = builder_.key(node, where);
    skip_flow_space(indent);
    if (at_flow_colon(json_key)) {
        Value value = flow_value(indent);
        builder_.add(map, std::move(key), std::move(value));
        return;
    }
    std::size_t colon = key.quoted || is_explicit ? std::string::npos : key.text.find(':');
    if (colon != std::string::npos)
        cursor_.warn(
            code::kKey,
            cursor_.slice(end - key.text.size(), end) == key.text
                ? cursor_.span(end - key.text.size() + colon, end - key.text.size() + colon + 1)
                : where,
            fmt::format("'{}' is a key without a value", key.text),
            "a blank is missing behind ':'");
    builder_.add(map, std::move(key), builder_.empty(end, {}));
}

/// An item, or a pair `a: b`, which is a map of one key.
void Reader::flow_list_item(Collection& list, std::ptrdiff_t indent) {
    std::size_t begin = cursor_.at(), line = cursor_.line();
    bool is_explicit = at_explicit_flow_key();
    if (is_explicit) {
        cursor_.advance();
        skip_flow_space(indent);
    }
    char c = cursor_.peek();
    if (at_flow_colon(false) || (is_explicit && (c == ',' || c == ']')))
        cursor_.refuse(code::kKey,
                       cursor_.at(),
                       cursor_.at() + 1,
                       "a key is missing here",
                       "write \"\": if it is empty");
    Value node = flow_node(indent);
    Span where = cursor_.span(node_begin_, last_end_);
    bool json_key = json_key_;
    std::size_t end = last_end_;
    skip_flow_space(indent);
    bool has_value = at_flow_colon(json_key);
    if (!has_value && !is_explicit) {
        builder_.add(list, std::move(node));
        return;
    }
    if (!is_explicit)
        check_key(begin, line);
    Collection pair = builder_.open(Kind::map, Style::flow, begin, ++depth_);
    Key key = builder_.key(node, where);
    Value value = has_value ? flow_value(indent) : builder_.empty(end, {});
    builder_.add(pair, std::move(key), std::move(value));
    --depth_;
    builder_.add(list, builder_.close(std::move(pair), last_end_, {}));
}

}  // namespace stillroom::yaml
