#include "engine/document/node.h"

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/document/scalar.h"
#include "engine/document/spelled_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stillroom {
namespace {

constexpr std::size_t kLargeMap = 12;  // from here on an index is faster than looking at every key

bool is_json_number(std::string_view text) {
    std::size_t at = text.starts_with('-') ? 1 : 0;
    auto next_is = [&](std::string_view any) {
        return at < text.size() && any.find(text[at]) != std::string_view::npos;
    };
    auto digits = [&] {
        std::size_t first = at;
        while (next_is("0123456789"))
            ++at;
        return at - first;
    };
    bool zero = next_is("0");
    std::size_t whole = digits();
    if (whole == 0 || (zero && whole > 1))
        return false;
    if (next_is(".") && (++at, digits() == 0))
        return false;
    if (next_is("eE")) {
        ++at;
        if (next_is("+-"))
            ++at;
        if (digits() == 0)
            return false;
    }
    return at == text.size();
}

/// Digits as JSON wants them, where the text itself is no JSON number (0x1F, 1_000, +3, .5, 1.).
void write_number(JsonWriter& out, const Node& node) {
    std::optional<Decimal> value = decimal_value(node);
    if (!value && is_json_number(node.text)) {
        out.raw(node.text);  // an exponent of millions
        return;
    }
    if (!value) {
        out.number(double_value(node));
        return;
    }
    if (node.kind == Kind::integer && value->is_integer()) {
        out.raw(value->integer_text());
        return;
    }
    std::string text = value->text();
    bool looks_integral = text.find_first_of(".e") == std::string::npos;
    out.raw(node.kind == Kind::number && looks_integral ? text + ".0" : text);
}

}  // namespace

Node::Node(const Node& other)
    : kind(other.kind),
      style(other.style),
      op(other.op),
      origin(other.origin),
      leading_zero(other.leading_zero),
      secret(other.secret),
      text(other.text),
      items(other.items),
      entries(other.entries),
      where(other.where),
      begins(other.begins),
      replaced(other.replaced),
      written(other.written) {}

const Entry* Node::find(std::string_view key) const {
    if (entries.size() < kLargeMap) {
        auto found = std::find_if(
            entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
        return found == entries.end() ? nullptr : &*found;
    }
    if (index_.size() != entries.size()) {
        index_.clear();
        index_.reserve(entries.size());
        for (std::uint32_t i = 0; i < entries.size(); ++i)
            index_.emplace(entries[i].key, i);
    }
    auto found = index_.find(key);
    return found == index_.end() ? nullptr : &entries[found->second];
}

NodePtr Node::get(std::string_view key) const {
    const Entry* entry = find(key);
    return entry ? entry->value : nullptr;
}

std::shared_ptr<Node> copy(const Node& node) {
    return std::make_shared<Node>(node);
}

std::shared_ptr<Node> make_string(std::string text, Span where) {
    auto node = std::make_shared<Node>();
    node->kind = Kind::string;
    node->style = Style::double_quoted;
    node->origin = Origin::engine;
    node->text = std::move(text);
    node->where = where;
    return node;
}

std::shared_ptr<Node> make_map(Span where) {
    auto node = std::make_shared<Node>();
    node->kind = Kind::map;
    node->style = Style::block;
    node->origin = Origin::engine;
    node->where = where;
    return node;
}

std::shared_ptr<Node> make_list(Span where) {
    auto node = std::make_shared<Node>();
    node->kind = Kind::list;
    node->style = Style::flow;
    node->origin = Origin::engine;
    node->where = where;
    return node;
}

bool deep_equal(const Node& a, const Node& b) {
    if (&a == &b)
        return true;
    auto is_number = [](const Node& node) {
        return node.kind == Kind::integer || node.kind == Kind::number;
    };
    if (is_number(a) && is_number(b)) {
        std::optional<Decimal> left = decimal_value(a), right = decimal_value(b);
        if (left && right)
            return *left == *right;
        if (left || right)
            return false;
        double x = double_value(a), y = double_value(b);
        return x == y || (std::isnan(x) && std::isnan(y));
    }
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
        case Kind::null:
            return true;
        case Kind::boolean:
            return boolean_value(a) == boolean_value(b);
        case Kind::list:
            return std::equal(
                a.items.begin(),
                a.items.end(),
                b.items.begin(),
                b.items.end(),
                [](const NodePtr& x, const NodePtr& y) { return deep_equal(*x, *y); });
        case Kind::map:
            return a.entries.size() == b.entries.size() &&
                   std::all_of(a.entries.begin(), a.entries.end(), [&](const Entry& entry) {
                       const Entry* other = b.find(entry.key);
                       return other && deep_equal(*entry.value, *other->value);
                   });
        default:
            return a.text == b.text;
    }
}

std::size_t count_nodes(const Node& node) {
    std::size_t count = 1;
    for (const NodePtr& item : node.items)
        count += count_nodes(*item);
    for (const Entry& entry : node.entries)
        count += 1 + count_nodes(*entry.value);
    return count;
}

std::string_view kind_name(Kind kind) {
    switch (kind) {
        case Kind::null:
            return "null";
        case Kind::boolean:
            return "a boolean";
        case Kind::integer:
            return "an integer";
        case Kind::number:
            return "a number";
        case Kind::string:
            return "text";
        case Kind::list:
            return "a list";
        case Kind::map:
            return "a map";
    }
    return "";
}

std::string describe_value(const Node& node, std::size_t limit) {
    if (!node.is_scalar())
        return std::string(kind_name(node.kind));
    if (node.is_null())
        return "null";
    std::string text = escape_controls(shorten(node.text, limit));
    return node.quoted() ? fmt::format("\"{}\"", text) : fmt::format("'{}'", text);
}

std::string spelled_text(const Node& node) {
    bool names_it = node.secret && node.text.find("${") == std::string::npos;
    return names_it ? "${secret:" + node.text + "}" : node.text;
}

void write_json(JsonWriter& out, const Node& node) {
    switch (node.kind) {
        case Kind::null:
            out.null();
            break;
        case Kind::boolean:
            out.boolean(boolean_value(node));
            break;
        case Kind::integer:
        case Kind::number:
            write_number(out, node);
            break;
        case Kind::string:
            out.string(spelled_text(node));
            break;
        case Kind::list:
            out.begin_array();
            for (const NodePtr& item : node.items)
                write_json(out, *item);
            out.end_array();
            break;
        case Kind::map:
            out.begin_object();
            for (const Entry& entry : node.entries) {
                out.key(entry.key);
                write_json(out, *entry.value);
            }
            out.end_object();
            break;
    }
}

}  // namespace stillroom
