#include "engine/document/canonical.h"

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/document/scalar.h"

#include <algorithm>

namespace stillroom {
namespace {

/// RFC 8785 sorts by UTF-16 units: a character above U+FFFF counts by its first half, so it comes
/// before U+E000.
char32_t sort_weight(char32_t code_point) {
    constexpr char32_t kFirstHalf = 0xD800;
    return code_point > 0xFFFF ? kFirstHalf : code_point;
}

bool comes_before(std::string_view a, std::string_view b) {
    std::size_t at_a = 0, at_b = 0;
    while (at_a < a.size() && at_b < b.size()) {
        char32_t left = decode_utf8(a, at_a);
        char32_t right = decode_utf8(b, at_b);
        if (left == right)
            continue;
        bool same_weight = sort_weight(left) == sort_weight(right);
        return same_weight ? left < right : sort_weight(left) < sort_weight(right);
    }
    return at_a == a.size() && at_b < b.size();
}

std::string number(const Node& node) {
    std::optional<Decimal> exact = decimal_value(node);
    if (!exact)
        return json_quoted(number_text(double_value(node)));
    std::string text = number_text(exact->to_double());
    if (!exact->is_integer())
        return text;
    std::optional<Decimal> back = Decimal::parse(text);
    return back && *back == *exact ? text : json_quoted(exact->text());
}

void append(std::string& out, const Node& node) {
    switch (node.kind) {
        case Kind::null:
            out += "null";
            return;
        case Kind::boolean:
            out += boolean_value(node) ? "true" : "false";
            return;
        case Kind::integer:
        case Kind::number:
            out += number(node);
            return;
        case Kind::string:
            out += json_quoted(node.text);
            return;
        case Kind::list:
            out += '[';
            for (const NodePtr& item : node.items) {
                if (&item != &node.items.front())
                    out += ',';
                append(out, *item);
            }
            out += ']';
            return;
        case Kind::map:
            break;
    }
    std::vector<const Entry*> sorted;
    for (const Entry& entry : node.entries)
        sorted.push_back(&entry);
    std::sort(sorted.begin(), sorted.end(), [](const Entry* a, const Entry* b) {
        return comes_before(a->key, b->key);
    });
    out += '{';
    for (const Entry* entry : sorted) {
        if (entry != sorted.front())
            out += ',';
        out += json_quoted(entry->key) + ":";
        append(out, *entry->value);
    }
    out += '}';
}

}  // namespace

std::string canonical_json(const Node& value) {
    std::string out;
    append(out, value);
    return out;
}

}  // namespace stillroom
