#include "engine/recipe/override_value.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/recipe/override_functions.h"
#include "engine/recipe/primitive.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace stillroom {
namespace {

constexpr int kMostDepth = 64;
constexpr std::size_t kMostNodes = 20'000;

/// Characters of an unquoted value that need no escape.
bool is_plain_character(char c) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return true;
    return std::string_view("_/-\\+.$%*@?|=~#;&!<>^").find(c) != std::string_view::npos;
}

std::shared_ptr<Node> make_node(Kind kind, Style style, Span where) {
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->style = style;
    node->origin = Origin::argument;
    node->where = where;
    return node;
}

class DepthGuard {
public:
    explicit DepthGuard(int& depth) : depth_(depth) { ++depth_; }
    ~DepthGuard() { --depth_; }

private:
    int& depth_;
};

}  // namespace

ValueReader::ValueReader(const Source& source, std::size_t offset)
    : source_(&source),
      text_(source.text()),
      at_(offset),
      first_(offset) {}

ValueReader::ValueReader(std::string_view text, Span where) : text_(text), fixed_(where) {}

Span ValueReader::span(std::size_t begin, std::size_t end) const {
    return source_ ? source_->span(begin, end) : fixed_;
}

void ValueReader::fail(int code, Span where, std::string message, std::string hint) const {
    throw OverrideMistake{code, where, std::move(message), std::move(hint)};
}

void ValueReader::fail_here(std::string_view expected) const {
    if (at_end())
        fail(code::kOverrideValue,
             span(text_.size(), text_.size()),
             fmt::format("the value ends where {} must follow", expected));
    char c = peek();
    std::size_t length = 1;
    std::string shown(1, c);
    std::string hint;
    if (c == '\'' || c == '"')
        hint = "a quoted value must be quoted from its first character to its last";
    else if (std::string_view("()[]{},:=").find(c) != std::string_view::npos)
        hint = fmt::format("to mean the character itself write \\{} or quote the whole value", c);
    else if (is_blank(c))
        shown = "a blank";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '`')
        hint = "quote the whole value";
    shown = is_blank(c) ? shown : fmt::format("'{}'", escape_controls(shown));
    fail(code::kOverrideValue,
         span(at_, at_ + length),
         fmt::format("{} cannot stand here, {} must follow", shown, expected),
         hint);
}

void ValueReader::skip_blanks() {
    while (!at_end() && is_blank(peek()))
        ++at_;
}

void ValueReader::count_node() {
    if (++nodes_ > kMostNodes)
        fail(code::kOverrideValue,
             span(first_, text_.size()),
             fmt::format("a value has at most {} parts", kMostNodes));
}

Element ValueReader::read() {
    skip_blanks();
    first_ = at_;
    if (at_end()) {
        Element empty;
        empty.where = span(at_, at_);
        empty.value = make_node(Kind::string, Style::plain, empty.where);
        return empty;
    }
    std::vector<Element> elements;
    while (true) {
        elements.push_back(element());
        if (at_end())
            break;
        std::size_t before = at_;
        skip_blanks();
        if (peek() != ',') {
            at_ = before;
            fail_here("',' or the end of the value");
        }
        ++at_;
        skip_blanks();
        if (at_end())
            fail(code::kOverrideValue,
                 span(at_ - 1, at_),
                 "a value must follow the last ','",
                 "quote the value, or write \\, to keep the comma");
    }
    if (elements.size() == 1)
        return std::move(elements.front());
    Sweep sweep;
    sweep.where = span(first_, at_);
    for (Element& part : elements) {
        if (part.sweep)
            fail(code::kSweepPlace,
                 part.where,
                 "a sweep cannot be one value of another",
                 "write all values in one choice(..)");
        if (part.extends)
            fail(
                code::kFunctionArguments, part.where, "extend_list cannot be one value of a sweep");
        sweep.values.push_back(part.value);
    }
    Element all;
    all.where = sweep.where;
    all.sweep = std::move(sweep);
    return all;
}

Element ValueReader::element() {
    DepthGuard guard(depth_);
    if (depth_ > kMostDepth)
        fail(code::kOverrideValue,
             span(at_, at_ + 1),
             fmt::format("values may be nested {} deep", kMostDepth));
    count_node();
    switch (peek()) {
        case '[':
            return list();
        case '{':
            return map();
        case '\'':
        case '"':
            return quoted();
        default:
            break;
    }
    std::string_view rest = text_.substr(at_);
    if (std::size_t name = identifier_length(rest)) {
        std::size_t paren = std::min(rest.find_first_not_of(" \t", name), rest.size());
        if (paren < rest.size() && rest[paren] == '(')
            return call(name);
    }
    return primitive();
}

/// An element of a list or map, which no sweep can be.
Element ValueReader::inner_element(std::string_view container) {
    Element part = element();
    if (part.sweep)
        fail(code::kSweepPlace,
             part.where,
             fmt::format("a sweep cannot stand inside {}", container),
             fmt::format("sweep over whole values: key=choice(..) with {} for each choice",
                         container));
    if (part.extends)
        fail(code::kFunctionArguments,
             part.where,
             fmt::format("extend_list cannot stand inside {}", container));
    return part;
}

/// After an element: true past a ',', false past the closing character.
bool ValueReader::take_separator(char close, std::size_t open, std::string_view what) {
    std::size_t before = at_;
    skip_blanks();
    if (at_end())
        fail(code::kOverrideUnclosed,
             span(open, open + 1),
             fmt::format("{} that opens here is never closed", what),
             fmt::format("add '{}'", close));
    if (peek() == close) {
        ++at_;
        return false;
    }
    if (peek() != ',') {
        at_ = before;
        fail_here(fmt::format("',' or '{}'", close));
    }
    ++at_;
    skip_blanks();
    if (peek() == close)
        fail(code::kOverrideValue,
             span(at_, at_ + 1),
             fmt::format("a value must follow the ',' before '{}'", close),
             "leave the last ',' out");
    return true;
}

Element ValueReader::list() {
    std::size_t open = at_++;
    auto node = make_node(Kind::list, Style::flow, {});
    skip_blanks();
    if (peek() == ']')
        ++at_;
    else
        do
            node->items.push_back(inner_element("a list").value);
        while (take_separator(']', open, "the list"));
    Element out;
    out.where = node->where = span(open, at_);
    out.value = std::move(node);
    return out;
}

Element ValueReader::map() {
    std::size_t open = at_++;
    auto node = make_node(Kind::map, Style::flow, {});
    std::unordered_set<std::string> keys;
    skip_blanks();
    if (peek() == '}') {
        ++at_;
    } else {
        do {
            count_node();
            bool quoted = peek() == '\'' || peek() == '"';
            auto [key, where] = map_key();
            if (!keys.insert(key).second)
                fail(code::kOverrideDuplicate,
                     where,
                     fmt::format("key '{}' stands twice in this map", escape_controls(key)),
                     "keep one of the two");
            Entry entry{std::move(key), where, inner_element("a map").value, quoted};
            node->entries.push_back(std::move(entry));
        } while (take_separator('}', open, "the map"));
    }
    Element out;
    out.where = node->where = span(open, at_);
    out.value = std::move(node);
    return out;
}

/// The key, its ':' and the blanks behind it.
std::pair<std::string, Span> ValueReader::map_key() {
    std::size_t begin = at_;
    std::string key;
    std::size_t solid = at_, solid_length = 0;
    if (peek() == '\'' || peek() == '"') {
        key = quoted_text();
        solid = at_;
        solid_length = key.size();
    } else {
        while (!at_end() && peek() != ':') {
            bool blank = is_blank(peek());
            if (text_.substr(at_).starts_with("${") || (!blank && !is_plain_character(peek())))
                fail_here("a key and ':'");
            unquoted_character(key);
            if (!blank) {
                solid = at_;
                solid_length = key.size();
            }
        }
    }
    key.resize(solid_length);
    Span where = span(begin, solid);
    if (solid == begin)
        fail_here("a key");
    skip_blanks();
    if (peek() != ':')
        fail_here("':' and a value");
    ++at_;
    skip_blanks();
    if (peek() == '}' || peek() == ',')
        fail(code::kOverrideValue,
             where,
             fmt::format("key '{}' has no value", escape_controls(key)),
             "write '' for an empty text, or null");
    return {std::move(key), where};
}

std::string ValueReader::quoted_text() {
    std::size_t open = at_;
    char quote = text_[at_++];
    std::string out;
    while (!at_end()) {
        // Backslashes count double only before a quote.
        std::size_t slashes = 0;
        while (at_ + slashes < text_.size() && text_[at_ + slashes] == '\\')
            ++slashes;
        at_ += slashes;
        if (peek() != quote || at_end()) {
            out.append(slashes, '\\');
            if (!at_end())
                out.push_back(text_[at_++]);
            continue;
        }
        out.append(slashes / 2, '\\');
        ++at_;
        if (slashes % 2 == 0)
            return out;
        out.push_back(quote);
    }
    bool escaped = text_.size() > open + 1 && text_.back() == quote;
    fail(code::kOverrideUnclosed,
         span(open, open + 1),
         "the quote that opens here is never closed",
         escaped ? fmt::format("\\{} is a quote inside the text; for a backslash at its end "
                               "write \\\\",
                               quote)
                 : fmt::format("add {} at the end of the value", quote));
}

Element ValueReader::quoted() {
    std::size_t open = at_;
    Style style = peek() == '"' ? Style::double_quoted : Style::single_quoted;
    auto node = make_node(Kind::string, style, {});
    node->text = quoted_text();
    Element out;
    out.where = node->where = span(open, at_);
    out.value = std::move(node);
    return out;
}

/// One character, or an escape.
void ValueReader::unquoted_character(std::string& out) {
    if (peek() == '\\' && at_ + 1 < text_.size() && is_escapable(text_[at_ + 1]))
        ++at_;
    out.push_back(text_[at_++]);
}

Element ValueReader::primitive() {
    std::size_t begin = at_, solid = at_, solid_length = 0;
    bool escaped = false;
    auto node = make_node(Kind::string, Style::plain, {});
    std::string& out = node->text;
    if (peek() == '=')
        fail(code::kOverrideValue,
             span(at_, at_ + 1),
             "a value cannot begin with '='",
             "to mean the character itself write \\= or quote the whole value");
    while (!at_end()) {
        char c = peek();
        if (is_blank(c)) {
            out.push_back(text_[at_++]);
            continue;
        }
        if (text_.substr(at_).starts_with("${")) {
            std::size_t length = interpolation_length(text_.substr(at_));
            if (length == 0)
                fail(code::kOverrideUnclosed,
                     span(at_, at_ + 2),
                     text_.substr(at_).starts_with("${}") ? "'${}' names nothing"
                                                          : "the '${' that opens here is never "
                                                            "closed",
                     "write ${KEY}, or \\$\\{ in a quoted value to mean the characters");
            out += text_.substr(at_, length);
            at_ += length;
        } else if (c == ':') {
            out.push_back(text_[at_++]);
            while (!at_end() && is_blank(peek()))
                out.push_back(text_[at_++]);
        } else if (is_plain_character(c)) {
            std::size_t before = at_;
            unquoted_character(out);
            escaped = escaped || at_ - before == 2;
        } else {
            break;
        }
        solid = at_;
        solid_length = out.size();
    }
    if (solid == begin)
        fail_here("a value");
    out.resize(solid_length);
    if (!escaped)
        node->kind = primitive_kind(out);
    Element result;
    result.where = node->where = span(begin, solid);
    result.value = std::move(node);
    return result;
}

Element ValueReader::call(std::size_t name_length) {
    Call call;
    std::size_t begin = at_;
    call.name = std::string(text_.substr(at_, name_length));
    call.name_where = span(at_, at_ + name_length);
    at_ += name_length;
    skip_blanks();
    std::size_t open = at_++;
    skip_blanks();
    if (peek() == ')') {
        ++at_;
    } else {
        do {
            std::string_view rest = text_.substr(at_);
            std::size_t keyword = identifier_length(rest);
            std::size_t equals = std::min(rest.find_first_not_of(" \t", keyword), rest.size());
            bool named = keyword > 0 && equals < rest.size() && rest[equals] == '=';
            std::string name(rest.substr(0, keyword));
            if (named) {
                at_ += equals + 1;
                skip_blanks();
            } else if (!call.keywords.empty()) {
                fail(code::kFunctionArguments,
                     span(at_, at_ + 1),
                     fmt::format("an argument without a name follows '{}='",
                                 call.keywords.back().first),
                     "write arguments without names first");
            }
            Element argument = element();
            if (named)
                call.keywords.emplace_back(std::move(name), std::move(argument));
            else
                call.positional.push_back(std::move(argument));
        } while (take_separator(')', open, "the call"));
    }
    call.where = span(begin, at_);
    return call_function(call);
}

bool ValueReader::at_zip() const {
    std::string_view rest = text_.substr(at_);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (!rest.starts_with("zip"))
        return false;
    rest.remove_prefix(3);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    return rest.starts_with("(");
}

std::vector<ValueReader::Column> ValueReader::read_zip() {
    skip_blanks();
    first_ = at_;
    at_ += 3;
    skip_blanks();
    std::size_t open = at_++;
    skip_blanks();
    std::vector<Column> columns;
    if (peek() == ')')
        fail(code::kFunctionArguments,
             span(first_, at_ + 1),
             "zip needs at least one key with its list of values",
             "write NAME=zip(KEY=[..], KEY=[..])");
    do {
        std::size_t begin = at_;
        while (!at_end() &&
               (identifier_length(text_.substr(at_, 1)) > 0 ||
                std::string_view("0123456789$-.[]/@").find(peek()) != std::string_view::npos))
            ++at_;
        std::string_view key = text_.substr(begin, at_ - begin);
        skip_blanks();
        if (key.empty() || peek() != '=')
            fail_here("KEY=[..]");
        ++at_;
        skip_blanks();
        Element values = element();
        if (!values.value || !values.value->is_list())
            fail(code::kFunctionArguments,
                 values.where,
                 fmt::format("zip takes a list for each key, and '{}' has none", key),
                 fmt::format("write {}=[..]", key));
        columns.push_back({key, begin, std::move(values)});
    } while (take_separator(')', open, "the call"));
    if (!at_end())
        fail_here("the end of the value");
    return columns;
}

}  // namespace stillroom
