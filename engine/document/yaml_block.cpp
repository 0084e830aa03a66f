#include "engine/base/codes.h"
#include "engine/document/yaml_reader.h"

namespace stillroom::yaml {

Value Reader::block_value(std::ptrdiff_t indent, Parent parent, bool on_new_line) {
    Start start;
    start.parent = parent;
    if (!find_value(start, indent, on_new_line))
        return builder_.empty(start.begin, start.outer);
    return block_content(start, indent);
}

/// Passes blanks, comments, line ends, anchors and tags. False if no value follows that is indented
/// deep enough.
bool Reader::find_value(Start& start, std::ptrdiff_t indent, bool on_new_line) {
    start.begin = cursor_.at();
    bool tab = !on_new_line && cursor_.skip_blanks();
    bool own_line = on_new_line;
    start.column = cursor_.column();
    if (on_new_line)
        mark(depth_, false);
    for (;;) {
        char c = cursor_.peek();
        bool comment = c == '#' && cursor_.at() > cursor_.line();
        if (comment || is_line_end(c)) {
            if (comment)
                cursor_.skip_comment();
            builder_.join(start.outer, start.inner);
            start.inner = {};
            cursor_.skip_line_break();
            if (!cursor_.next_content())
                return false;
            start.column = cursor_.column();
            bool list_below_key = start.column == indent && cursor_.at_indicator('-') &&
                                  start.parent >= Parent::value;
            if (start.column <= indent && !list_below_key)
                return false;
            own_line = true;
            mark(depth_, false);
            continue;
        }
        if (c != '&' && c != '!')
            break;
        if (c == '&')
            builder_.read_anchor(start.inner, false);
        else
            builder_.read_tag(start.inner, false);
        last_end_ = cursor_.at();
        cursor_.skip_blanks();
    }
    bool same_line =
        (start.parent == Parent::item || start.parent == Parent::explicit_part) && !tab;
    start.may_nest = own_line || same_line;
    start.begin = cursor_.at();
    return true;
}

Scalar Reader::quoted(std::ptrdiff_t indent) {
    return cursor_.peek() == '"' ? double_quoted(cursor_, indent) : single_quoted(cursor_, indent);
}

Value Reader::block_content(Start& start, std::ptrdiff_t indent) {
    bool dash = cursor_.at_indicator('-');
    if (dash || cursor_.at_indicator('?')) {
        if (!start.may_nest || start.inner.any())
            refuse_nesting(start);
        return dash ? block_list(start, start.column == indent) : block_map(start, std::nullopt);
    }
    char c = cursor_.peek();
    if (c == '|' || c == '>') {
        builder_.join(start.outer, start.inner);
        Scalar text = block_text(cursor_, indent);
        note_lines(text.begin, cursor_.at(), indent);
        last_end_ = text.end;
        cursor_.next_content();
        return builder_.scalar(std::move(text), start.outer);
    }
    std::size_t line = cursor_.line();
    bool flow = c == '[' || c == '{';
    bool plain = false;
    Scalar scalar;
    Value value;
    if (flow) {
        builder_.join(start.outer, start.inner);
        value = flow_collection(indent, start.outer);
    } else if (c == '*') {
        value = builder_.read_alias(false, depth_);
        scalar.begin = start.begin;
        scalar.end = cursor_.at();
    } else if (c == '"' || c == '\'') {
        scalar = quoted(indent);
    } else {
        refuse_plain_start(false);
        scalar = plain_on_line(cursor_, false);
        plain = true;
    }
    last_end_ = cursor_.at();
    if (at_colon_of_key()) {
        if (!start.may_nest)
            refuse_nesting(start);
        check_key(start.begin, line);
        Span where = cursor_.span(start.begin, last_end_);
        if (c == '*' && start.inner.any())
            cursor_.refuse(
                code::kAlias, start.begin, last_end_, "an alias with an anchor or tag of its own");
        bool made = value.node != nullptr;
        return block_map(
            start,
            made ? builder_.key(value, where) : builder_.key(std::move(scalar), start.inner));
    }
    if (plain) {
        continue_plain(cursor_, scalar, indent, false);
        last_end_ = cursor_.at();
    }
    if (cursor_.line() != line)
        note_lines(start.begin, last_end_, indent);
    end_line(flow ? nullptr : &scalar);
    if (flow)
        return value;
    builder_.join(start.outer, start.inner);
    if (c != '*')
        return builder_.scalar(std::move(scalar), start.outer);
    if (start.outer.any())
        cursor_.refuse(
            code::kAlias, scalar.begin, scalar.end, "an alias with an anchor or tag of its own");
    return value;
}

/// `shares_column`: below the key of a map at the same column.
Value Reader::block_list(const Start& start, bool shares_column) {
    Collection list = builder_.open(Kind::list, Style::block, start.begin, ++depth_);
    do {
        if (!cursor_.at_indicator('-')) {
            if (shares_column)
                break;
            cursor_.refuse(code::kIndentation,
                           cursor_.at(),
                           cursor_.at() + 1,
                           "this line stands among the items of a list and is none",
                           "begin it with '- ', or indent it as its neighbours are");
        }
        mark(depth_ - 1, true);
        cursor_.advance();
        last_end_ = cursor_.at();
        builder_.add(list, block_value(start.column, Parent::item));
    } while (!ends_collection(start.column));
    --depth_;
    last_column_ = start.column;
    return builder_.close(std::move(list), last_end_, start.outer);
}

/// The cursor is at the first key's colon, or at '?' if there is no first key.
Value Reader::block_map(const Start& start, std::optional<Key> first) {
    Collection map = builder_.open(Kind::map, Style::block, start.begin, ++depth_);
    if (first)
        --map.started;  // the key was counted before the map
    do {
        if (!first && cursor_.at_indicator('?')) {
            explicit_entry(map, start.column);
            continue;
        }
        if (!first)
            mark(depth_ - 1, false);
        Key key = first ? *std::move(first) : block_key(start.column);
        first.reset();
        cursor_.advance();
        last_end_ = cursor_.at();
        Value value = block_value(start.column, Parent::value);
        builder_.add(map, std::move(key), std::move(value));
    } while (!ends_collection(start.column));
    --depth_;
    last_column_ = start.column;
    return builder_.close(std::move(map), last_end_, start.outer);
}

void Reader::explicit_entry(Collection& map, std::ptrdiff_t column) {
    std::size_t begin = cursor_.at();
    mark(depth_ - 1, true);
    cursor_.advance();
    last_end_ = cursor_.at();
    Value part = block_value(column, Parent::explicit_part);
    Span where = part.node->where;
    if (where.begin < cursor_.span(begin, begin).begin)  // an alias: its node stands elsewhere
        where = cursor_.span(begin, begin + 1);
    Key key = builder_.key(part, where);
    Value value;
    if (!cursor_.ended() && cursor_.column() == column && cursor_.at_indicator(':')) {
        mark(depth_ - 1, true);
        cursor_.advance();
        last_end_ = cursor_.at();
        value = block_value(column, Parent::explicit_part);
    } else {
        value = builder_.empty(last_end_, {});
    }
    builder_.add(map, std::move(key), std::move(value));
}

/// A key that is not the first of its map; leaves the cursor at its colon.
Key Reader::block_key(std::ptrdiff_t column) {
    Properties properties;
    std::size_t begin = cursor_.at(), line = cursor_.line();
    while (cursor_.peek() == '&' || cursor_.peek() == '!') {
        if (cursor_.peek() == '&')
            builder_.read_anchor(properties, false);
        else
            builder_.read_tag(properties, false);
        std::size_t end = cursor_.at();
        cursor_.skip_blanks();
        if (cursor_.at_line_end() || cursor_.peek() == '#')
            cursor_.refuse(
                code::kIndentation,
                begin,
                end,
                "an anchor or tag alone on a line that is not indented deeper than the key",
                "put it behind the key's ':'");
    }
    char c = cursor_.peek();
    begin = cursor_.at();
    if (cursor_.at_indicator('-'))
        cursor_.refuse(code::kIndentation,
                       begin,
                       begin + 1,
                       "a list item among the keys of a map",
                       "indent the list below its key, or remove '- '");
    if (c == '[' || c == '{' || c == '|' || c == '>')
        cursor_.refuse(code::kKey,
                       begin,
                       begin + 1,
                       "a key is expected here",
                       "only text can be a key; a value belongs behind its key's ':'");
    std::optional<Key> key;
    if (c == '*') {
        if (properties.any())
            cursor_.refuse(
                code::kAlias, begin, begin + 1, "an alias with an anchor or tag of its own");
        Value alias = builder_.read_alias(false, depth_);
        key = builder_.key(alias, cursor_.span(begin, cursor_.at()));
    }
    Scalar scalar;
    if (c == '"' || c == '\'') {
        scalar = quoted(column);
    } else if (c != '*') {
        refuse_plain_start(false);
        scalar = plain_on_line(cursor_, false);
    } else {
        scalar.begin = begin;
        scalar.end = cursor_.at();
    }
    if (!at_colon_of_key())
        refuse_missing_colon(scalar);
    check_key(begin, line);
    return key ? *std::move(key) : builder_.key(std::move(scalar), properties);
}

/// Passes blanks if a ':' that makes a key follows them.
bool Reader::at_colon_of_key() {
    std::size_t at = cursor_.at();
    cursor_.skip_blanks();
    if (cursor_.at_indicator(':'))
        return true;
    cursor_.move_to(at);
    return false;
}

/// True if the next line belongs to a collection further out. Refuses a line that is indented like
/// none of them.
bool Reader::ends_collection(std::ptrdiff_t column) {
    if (cursor_.ended() || cursor_.column() < column)
        return true;
    if (cursor_.column() > column)
        refuse_indentation(column);
    return false;
}

/// For the layout: a value of several lines inside the collection at column `indent`.
void Reader::note_lines(std::size_t begin, std::size_t end, std::ptrdiff_t indent) {
    if (layout_)
        layout_->ranges.push_back({begin, end, indent, depth_ == 0 ? 0 : depth_ - 1});
}

/// Behind a value: nothing but a comment may follow on its line.
void Reader::end_line(const Scalar* scalar) {
    cursor_.skip_blanks();
    if (cursor_.peek() == '#')
        cursor_.skip_comment();
    if (!cursor_.at_line_end())
        refuse_trailing_text(scalar);
    cursor_.skip_line_break();
    cursor_.next_content();
}

}  // namespace stillroom::yaml
