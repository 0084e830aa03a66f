#include "engine/document/yaml_builder.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/document/scalar.h"

#include <fmt/format.h>

#include <array>

namespace stillroom::yaml {
namespace {

struct TagName {
    std::string_view name;
    Tag tag;
};

constexpr std::array<TagName, 12> kTags = {{{"!!str", Tag::string},
                                            {"!!int", Tag::integer},
                                            {"!!float", Tag::number},
                                            {"!!bool", Tag::boolean},
                                            {"!!null", Tag::null},
                                            {"!!map", Tag::map},
                                            {"!!seq", Tag::list},
                                            {"!append", Tag::append},
                                            {"!prepend", Tag::prepend},
                                            {"!remove", Tag::remove},
                                            {"!replace", Tag::replace},
                                            {"!unset", Tag::unset}}};

std::string_view tag_name(Tag tag) {
    for (const TagName& known : kTags)
        if (known.tag == tag)
            return known.name;
    return "";
}

Operator operator_of(Tag tag) {
    switch (tag) {
        case Tag::append:
            return Operator::append;
        case Tag::prepend:
            return Operator::prepend;
        case Tag::remove:
            return Operator::remove;
        case Tag::replace:
            return Operator::replace;
        case Tag::unset:
            return Operator::unset;
        default:
            return Operator::none;
    }
}

std::string_view operator_name(Operator op) {
    for (const TagName& known : kTags)
        if (op != Operator::none && operator_of(known.tag) == op)
            return known.name;
    return "";
}

}  // namespace

Builder::Builder(Cursor& cursor, const Limits& limits)
    : cursor_(cursor),
      limits_(limits),
      unknown_(make_map()) {}

void Builder::report(int code, Span where, std::string message, std::string hint) {
    cursor_.report(code, where, std::move(message)).with_hint(std::move(hint));
}

void Builder::count(std::size_t nodes, Span where) {
    nodes_ += nodes;
    if (nodes_ <= limits_.nodes)
        return;
    Diagnostic mistake = cursor_.mistake(
        code::kTooManyNodes,
        where,
        fmt::format("more than {} keys and values, aliases expanded", limits_.nodes));
    cursor_.refuse(std::move(mistake.with_hint("split the file, or raise `--limit nodes=N`")));
}

/// The name behind '&', '*' or '!', up to a blank or a flow indicator; the cursor passes it.
std::string_view Builder::property_name(bool in_flow) {
    std::size_t begin = cursor_.at(), end = begin + 1;
    while (!is_separator(cursor_.look(end)) && !is_flow_indicator(cursor_.look(end)))
        ++end;
    char next = cursor_.look(end);
    if (!is_separator(next) && !(in_flow && (next == ',' || next == ']' || next == '}')))
        cursor_.refuse(code::kSyntax,
                       end,
                       end + 1,
                       fmt::format("a blank is missing behind '{}'", cursor_.slice(begin, end)));
    cursor_.move_to(end);
    return cursor_.slice(begin, end);
}

void Builder::read_anchor(Properties& properties, bool in_flow) {
    std::size_t begin = cursor_.at();
    std::string_view name = property_name(in_flow);
    if (name.size() == 1)
        cursor_.refuse(code::kSyntax, begin, begin + 1, "an anchor without a name", "write &name");
    if (!properties.anchor.empty())
        cursor_.refuse(code::kSyntax, begin, cursor_.at(), "a second anchor on one value");
    properties.anchor = name.substr(1);
    properties.anchor_where = cursor_.span(begin, cursor_.at());
    properties.anchor_id = ++anchors_made_;
    anchors_[properties.anchor] = {properties.anchor_id, nullptr, 0, 0};
}

void Builder::read_tag(Properties& properties, bool in_flow) {
    constexpr std::string_view kCore = "!<tag:yaml.org,2002:";
    std::size_t begin = cursor_.at();
    std::string name;
    if (cursor_.peek(1) == '<') {
        std::size_t end = begin;
        while (!is_separator(cursor_.look(end)) && cursor_.look(end) != '>')
            ++end;
        name = cursor_.slice(begin, end);
        name = name.starts_with(kCore) ? "!!" + name.substr(kCore.size()) : name + ">";
        cursor_.move_to(end);
        property_name(in_flow);
    } else {
        name = property_name(in_flow);
    }
    Span where = cursor_.span(begin, cursor_.at());
    if (properties.tag_where)
        cursor_.refuse(code::kSyntax, begin, cursor_.at(), "a second tag on one value");
    properties.tag_where = where;
    for (const TagName& known : kTags)
        if (known.name == name) {
            properties.tag = known.tag;
            return;
        }
    std::vector<std::string> names;
    for (const TagName& known : kTags)
        names.emplace_back(known.name);
    std::string hint = did_you_mean(name, names);
    if (hint.empty())
        hint = fmt::format("known tags are {}; quote the text if it begins with '!'",
                           stillroom::join(names));
    report(
        code::kTag,
        where,
        name == "!" ? "a '!' without a name" : fmt::format("unknown tag '{}'", shorten(name, 60)),
        hint);
}

std::string Builder::anchor_hint(std::string_view name) const {
    constexpr std::size_t kLongest = 60, kMost = 100;  // a hint is worth no more work than that
    if (name.ends_with(':'))
        return "an alias as a key needs a blank before ':'";
    std::vector<std::string> names;
    for (const auto& [known, anchor] : anchors_)
        if (known.size() <= kLongest && names.size() < kMost)
            names.emplace_back(known);
    return name.size() <= kLongest ? did_you_mean(name, names) : "";
}

Value Builder::read_alias(bool in_flow, std::size_t depth) {
    std::size_t begin = cursor_.at();
    std::string_view name = property_name(in_flow).substr(1);
    Span where = cursor_.span(begin, cursor_.at());
    auto found = anchors_.find(name);
    if (name.empty() || found == anchors_.end() || !found->second.node) {
        if (name.empty()) {
            report(code::kAlias,
                   where,
                   "an alias without a name",
                   "quote a text that begins with '*'");
        } else if (found != anchors_.end()) {
            report(code::kAlias,
                   where,
                   fmt::format("'*{}' stands inside the value it names", shorten(name, 60)));
        } else {
            report(code::kAlias,
                   where,
                   fmt::format("no anchor '&{}' before this alias", shorten(name, 60)),
                   anchor_hint(name));
        }
        return {unknown_, 0};
    }
    const Anchor& anchor = found->second;
    if (depth + anchor.height > limits_.depth)
        cursor_.refuse(code::kTooDeep,
                       begin,
                       cursor_.at(),
                       fmt::format("with '*{}' nested deeper than {} levels", name, limits_.depth),
                       "flatten it, or raise `--limit depth=N`");
    count(anchor.nodes, where);
    return {anchor.node, anchor.height};
}

void Builder::join(Properties& outer, const Properties& inner) {
    if (inner.tag_where) {
        if (outer.tag_where)
            report(code::kSyntax, inner.tag_where, "a second tag on one value");
        outer.tag = inner.tag;
        outer.tag_where = inner.tag_where;
    }
    if (!inner.anchor.empty()) {
        if (!outer.anchor.empty())
            report(code::kSyntax, inner.anchor_where, "a second anchor on one value");
        outer.anchor = inner.anchor;
        outer.anchor_where = inner.anchor_where;
        outer.anchor_id = inner.anchor_id;
    }
}

/// From now on aliases may use the anchor, unless a newer one took its name meanwhile.
void Builder::name(const Value& value, const Properties& properties, std::size_t nodes) {
    if (properties.anchor.empty())
        return;
    Anchor& anchor = anchors_[properties.anchor];
    if (anchor.id == properties.anchor_id)
        anchor = {properties.anchor_id, value.node, nodes, value.height};
}

void Builder::apply_scalar_tag(Node& node, const Properties& properties) {
    constexpr std::array kKinds = {
        Kind::string, Kind::integer, Kind::number, Kind::boolean, Kind::null};
    Tag tag = properties.tag;
    if (tag == Tag::string) {
        if (node.style == Style::plain)
            node.style = Style::double_quoted;
        node.kind = Kind::string;
        return;
    }
    if (tag == Tag::map || tag == Tag::list) {
        report(code::kTag,
               properties.tag_where,
               fmt::format("'{}' on {}", tag_name(tag), kind_name(node.kind)));
        return;
    }
    if (tag < Tag::string || tag > Tag::null)
        return;
    Kind wanted = kKinds[static_cast<std::size_t>(tag) - static_cast<std::size_t>(Tag::string)];
    Kind found = core_kind(node.text);
    if (found != wanted && !(wanted == Kind::number && found == Kind::integer)) {
        report(code::kTag,
               properties.tag_where,
               fmt::format("'{}' on '{}', which is {}",
                           tag_name(tag),
                           shorten(node.text, 40),
                           kind_name(found)));
        return;
    }
    node.kind = wanted;
    node.style = Style::plain;
    node.leading_zero = has_leading_zero(node.text);
}

void Builder::apply_operator(Node& node, const Properties& properties) {
    Operator op = operator_of(properties.tag);
    bool wants_list = op == Operator::append || op == Operator::prepend || op == Operator::remove;
    if ((wants_list && !node.is_list()) || (op == Operator::replace && !node.is_map())) {
        report(code::kTag,
               properties.tag_where,
               fmt::format("'{}' is for {}, not for {}",
                           tag_name(properties.tag),
                           wants_list ? "lists" : "maps",
                           kind_name(node.kind)));
        return;
    }
    node.op = op;
}

void Builder::refuse_operator(const Node& node, std::string_view place) {
    if (node.op != Operator::none)
        report(code::kTag,
               node.where,
               fmt::format("'{}' on {}", operator_name(node.op), place),
               "it belongs before the value of a key");
}

Value Builder::scalar(Scalar scalar, const Properties& properties) {
    auto node = std::make_shared<Node>();
    node->where = cursor_.span(scalar.begin, scalar.end);
    node->style = scalar.style;
    node->text = std::move(scalar.text);
    node->kind = scalar.style == Style::plain ? core_kind(node->text) : Kind::string;
    if (node->kind == Kind::integer || node->kind == Kind::number)
        node->leading_zero = has_leading_zero(node->text);
    if (properties.tag != Tag::none) {
        apply_scalar_tag(*node, properties);
        apply_operator(*node, properties);
    }
    count(1, node->where);
    Value value{std::move(node), 0};
    name(value, properties, 1);
    return value;
}

Value Builder::empty(std::size_t at, const Properties& properties) {
    Scalar nothing;
    nothing.begin = nothing.end = at;
    return scalar(std::move(nothing), properties);
}

Key Builder::key(Scalar scalar, const Properties& properties) {
    Span where = cursor_.span(scalar.begin, scalar.end);
    if (!properties.any()) {  // the usual key needs no node
        bool quoted = scalar.style != Style::plain;
        if (!quoted && core_kind(scalar.text) == Kind::null)
            report(code::kKey, where, "a null key", "quote the key");
        count(1, where);
        return {std::move(scalar.text), where, quoted};
    }
    if (operator_of(properties.tag) != Operator::none) {
        Properties rest = properties;
        rest.tag = Tag::none;
        report(code::kTag,
               properties.tag_where,
               fmt::format("'{}' on a key", tag_name(properties.tag)),
               "it belongs before the value");
        return key(this->scalar(std::move(scalar), rest), where);
    }
    return key(this->scalar(std::move(scalar), properties), where);
}

Key Builder::key(const Value& value, Span where) {
    const Node& node = *value.node;
    if (value.node != unknown_ && (!node.is_scalar() || node.is_null()))
        report(code::kKey,
               where,
               node.is_null() ? "a null key" : fmt::format("{} as a key", kind_name(node.kind)),
               node.is_null()                           ? "quote the key"
               : cursor_.slice(where).starts_with("{ ") ? "keys are text; a reference to a "
                                                          "value is written \"${NAME}\""
                                                        : "keys are text");
    return {node.text, where, node.style != Style::plain || node.where != where};
}

Collection Builder::open(Kind kind, Style style, std::size_t begin, std::size_t depth) {
    if (depth > limits_.depth)
        cursor_.refuse(code::kTooDeep,
                       begin,
                       begin + 1,
                       fmt::format("nested deeper than {} levels", limits_.depth),
                       "flatten it, or raise `--limit depth=N`");
    Collection collection;
    collection.started = nodes_;
    collection.node = std::make_shared<Node>();
    collection.node->kind = kind;
    collection.node->style = style;
    collection.node->where = cursor_.span(begin, begin + 1);
    count(1, collection.node->where);
    return collection;
}

void Builder::add(Collection& list, Value item) {
    refuse_operator(*item.node, "an item of a list");
    list.height = std::max(list.height, item.height);
    list.node->items.push_back(std::move(item.node));
}

void Builder::add(Collection& map, Key key, Value value) {
    std::vector<Entry>& entries = map.node->entries;
    bool merges = key.text == "<<" && !key.quoted;
    std::size_t equal = merges ? KeyTable::kNone : map.keys.find(entries, key.text);
    const Entry* earlier = equal != KeyTable::kNone ? &entries[equal] : nullptr;
    if (merges && map.merge)
        earlier = &*map.merge;
    if (earlier) {
        cursor_
            .report(code::kDuplicateKey,
                    key.where,
                    fmt::format("key '{}' stands twice in one map", shorten(key.text, 60)))
            .note(earlier->where, "it stands here first")
            .with_hint("remove or rename one of the two");
        return;
    }
    map.height = std::max(map.height, value.height);
    Entry entry{std::move(key.text), key.where, std::move(value.node), key.quoted};
    if (merges) {
        map.merge_at = entries.size();
        map.merge = std::move(entry);
    } else {
        entries.push_back(std::move(entry));
    }
}

/// The maps that `<<` brings in, in order of precedence.
std::vector<const Node*> Builder::merge_sources(const Entry& merge) {
    const Node& value = *merge.value;
    std::vector<const Node*> sources;
    if (value.is_list())
        for (const NodePtr& item : value.items)
            sources.push_back(item.get());
    else
        sources.push_back(&value);
    if (value.op != Operator::none)
        report(code::kMergeKey,
               merge.where,
               fmt::format("'{}' on the value of '<<'", operator_name(value.op)));
    std::erase_if(sources, [&](const Node* source) {
        if (source->is_map())
            return false;
        report(code::kMergeKey,
               merge.where,
               fmt::format("'<<' takes a map or a list of maps, not {}", describe_value(*source)),
               "quote '<<' if it is a plain key");
        return true;
    });
    return sources;
}

/// Puts what `<<` brings in where it stands; the keys that the map has itself win wherever they
/// stand.
void Builder::expand_merge(Collection& map) {
    std::vector<Entry>& entries = map.node->entries;
    KeyTable seen;
    std::vector<Entry> brought;
    for (const Node* source : merge_sources(*map.merge))
        for (const Entry& entry : source->entries)
            if (map.keys.find(entries, entry.key) == KeyTable::kNone &&
                seen.find(brought, entry.key) == KeyTable::kNone)
                brought.push_back(entry);
    entries.insert(entries.begin() + static_cast<std::ptrdiff_t>(map.merge_at),
                   std::make_move_iterator(brought.begin()),
                   std::make_move_iterator(brought.end()));
}

Value Builder::close(Collection collection, std::size_t end, const Properties& properties) {
    Node& node = *collection.node;
    node.where.end = cursor_.span(end, end).end;
    if (collection.merge)
        expand_merge(collection);
    bool fits = properties.tag == Tag::none || properties.tag >= Tag::append ||
                properties.tag == (node.is_map() ? Tag::map : Tag::list);
    if (!fits)
        report(code::kTag,
               properties.tag_where,
               fmt::format("'{}' on {}", tag_name(properties.tag), kind_name(node.kind)));
    apply_operator(node, properties);
    Value value{std::move(collection.node), collection.height + 1};
    name(value, properties, nodes_ - collection.started);
    return value;
}

}  // namespace stillroom::yaml
