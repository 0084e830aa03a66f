#pragma once

#include "engine/document/document.h"
#include "engine/document/key_table.h"
#include "engine/document/yaml_scalars.h"

#include <string_view>
#include <unordered_map>
#include <vector>

namespace stillroom::yaml {

/// A finished value; `height` counts the levels of collections in it.
struct Value {
    NodePtr node;
    std::size_t height = 0;
};

enum class Tag : std::uint8_t {
    none,
    string,
    integer,
    number,
    boolean,
    null,
    map,
    list,
    append,
    prepend,
    remove,
    replace,
    unset
};

/// What may stand before a value: a tag and an anchor.
struct Properties {
    Tag tag = Tag::none;
    Span tag_where;
    std::string_view anchor;
    Span anchor_where;
    std::size_t anchor_id = 0;

    bool any() const { return tag != Tag::none || !anchor.empty() || static_cast<bool>(tag_where); }
};

/// A map or list while its content is read.
struct Collection {
    std::shared_ptr<Node> node;
    KeyTable keys;
    std::size_t height = 0;      // of the highest child
    std::optional<Entry> merge;  // the `<<` entry, kept apart
    std::size_t merge_at = 0;    // the entries before it
    std::size_t started = 0;     // nodes counted before it
};

/// A key: a scalar that is not null.
struct Key {
    std::string text;
    Span where;
    bool quoted = false;
};

/// Makes nodes of what the grammar finds: types scalars, knows anchors, expands `<<`, and keeps the
/// budgets. An alias shares the node it names; its nodes are counted, never copied.
class Builder {
public:
    Builder(Cursor& cursor, const Limits& limits);

    /// At '&', '!' or '*': reads the name. Tags and anchors land in `properties`.
    void read_anchor(Properties& properties, bool in_flow);
    void read_tag(Properties& properties, bool in_flow);
    Value read_alias(bool in_flow, std::size_t depth);

    /// `inner` stands on the value's line, `outer` on lines before it.
    void join(Properties& outer, const Properties& inner);

    Value scalar(Scalar scalar, const Properties& properties);
    Value empty(std::size_t at, const Properties& properties);
    Key key(Scalar scalar, const Properties& properties);
    Key key(const Value& value, Span where);

    Collection open(Kind kind, Style style, std::size_t begin, std::size_t depth);
    void add(Collection& list, Value item);
    void add(Collection& map, Key key, Value value);
    Value close(Collection collection, std::size_t end, const Properties& properties);

private:
    struct Anchor {
        std::size_t id = 0;
        NodePtr node;  // null while what it names is still open
        std::size_t nodes = 0;
        std::size_t height = 0;
    };

    void count(std::size_t nodes, Span where);
    void name(const Value& value, const Properties& properties, std::size_t nodes);
    void apply_scalar_tag(Node& node, const Properties& properties);
    void apply_operator(Node& node, const Properties& properties);
    void refuse_operator(const Node& node, std::string_view place);
    void expand_merge(Collection& map);
    std::vector<const Node*> merge_sources(const Entry& merge);
    std::string anchor_hint(std::string_view name) const;
    void report(int code, Span where, std::string message, std::string hint = "");
    std::string_view property_name(bool in_flow);

    Cursor& cursor_;
    Limits limits_;
    NodePtr unknown_;  // stands for what a bad alias names, so that it is complained of once
    std::size_t nodes_ = 0;
    std::size_t anchors_made_ = 0;
    std::unordered_map<std::string_view, Anchor> anchors_;
};

}  // namespace stillroom::yaml
