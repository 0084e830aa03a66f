#pragma once

#include "engine/base/api.h"
#include "engine/base/source.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace stillroom {

struct Node;
using NodePtr = std::shared_ptr<const Node>;

/// What a scalar is by YAML 1.2's core rules (a quoted one is a string), or a collection. In
/// recipes a schema has the last word over a plain scalar, so its text is kept.
enum class Kind : std::uint8_t { null, boolean, integer, number, string, list, map };

enum class Style : std::uint8_t {
    plain,
    single_quoted,
    double_quoted,
    literal,
    folded,
    block,
    flow
};

/// How a value joins what stands at its key already: the tags !append !prepend !remove !replace
/// !unset.
enum class Operator : std::uint8_t { none, append, prepend, remove, replace, unset };

/// Where a value came from; `where` says the place.
enum class Origin : std::uint8_t { file, argument, schema_default, engine };

struct Entry {
    std::string key;  ///< the text as written: `no:` is "no", `1:` is "1"
    Span where;       ///< of the key
    NodePtr value;
    bool quoted = false;  ///< `"<<"` is no merge key
    Span first = {};      ///< where the key was first set, if an earlier layer had it
};

/// A value: immutable, shared between trees, with its place. The same tree type serves files,
/// arguments, schemas and the composed recipe; `replaced` and `written` make it remember its
/// history.
struct STILLROOM_API Node {
    Kind kind = Kind::null;
    Style style = Style::plain;
    Operator op = Operator::none;
    Origin origin = Origin::file;
    bool leading_zero = false;  ///< a plain 017: its meaning is ambiguous unless a string is wanted
    bool secret = false;        ///< names a secret, or is built from one; its value is never here

    std::string text;  ///< a scalar's text: the source text of a plain one, the decoded text of a
                       ///< quoted one
    std::vector<NodePtr> items;  ///< of a list
    std::vector<Entry> entries;  ///< of a map, in order of first appearance, keys unique

    Span where;
    Place begins;      ///< where the text of a path begins, which decides its folder; nowhere:
                       ///< `where.begin`
    NodePtr replaced;  ///< what stood here before this value
    NodePtr written;   ///< of a resolved interpolation: the value as written

    bool quoted() const { return style != Style::plain && kind == Kind::string; }
    bool is_map() const { return kind == Kind::map; }
    bool is_list() const { return kind == Kind::list; }
    bool is_scalar() const { return !is_map() && !is_list(); }
    bool is_null() const { return kind == Kind::null; }

    /// "???", the mark of a value that someone must give.
    bool is_missing() const { return kind == Kind::string && text == "???"; }

    /// Null if the map has no such key, or if this is no map. Fast also in large maps.
    const Entry* find(std::string_view key) const;
    NodePtr get(std::string_view key) const;  ///< the value of `find`, or null

private:
    mutable std::unordered_map<std::string_view, std::uint32_t>
        index_;  // of large maps, made on first use

public:
    Node() = default;
    Node(const Node& other);  ///< the index is not copied
    Node& operator=(const Node&) = delete;
};

/// A copy to be changed before it is shared.
STILLROOM_API std::shared_ptr<Node> copy(const Node& node);

// Scalars made by the engine itself.
STILLROOM_API std::shared_ptr<Node> make_string(std::string text, Span where = {});
STILLROOM_API std::shared_ptr<Node> make_map(Span where = {});
STILLROOM_API std::shared_ptr<Node> make_list(Span where = {});

/// Equal by value: kinds and contents; numbers by their value (6e9 is 6000000000), maps in any
/// order.
STILLROOM_API bool deep_equal(const Node& a, const Node& b);

/// Nodes in the tree, keys counted.
STILLROOM_API std::size_t count_nodes(const Node& node);

/// "a map", "a list", "text", "a number", ... for messages.
STILLROOM_API std::string_view kind_name(Kind kind);

/// A scalar in quotes, or "a map" and so on, at most `limit` characters: for messages.
STILLROOM_API std::string describe_value(const Node& node, std::size_t limit = 40);

class JsonWriter;
/// The tree as JSON, keys in order, numbers as numbers; infinities and NaN as the strings "inf",
/// "-inf", "nan".
STILLROOM_API void write_json(JsonWriter& out, const Node& node);

/// The tree as YAML that reads back the same, with the text of plain scalars kept.
STILLROOM_API std::string to_yaml(const Node& node);

}  // namespace stillroom
