#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"

#include <functional>
#include <string>
#include <vector>

namespace stillroom {

/// Keys from the root: map keys, and list positions as digits.
using KeyPath = std::vector<std::string>;

/// a.b.2, as overrides spell it.
STILLROOM_API std::string path_text(const KeyPath& path);

/// How one tree joins another: map by key, everything else replaces, less the pairs that are
/// mistakes.
struct MergeRules {
    /// Looks a `${path}` that stands alone up in the tree composed so far; null: it names nothing
    /// yet.
    std::function<NodePtr(const Node& reference)> follow;
};

/// Null or ???: nothing stands there that a value of another kind would have to fit.
inline bool is_open(const Node& node) {
    return node.is_null() || node.is_missing();
}

/// `next` over `base`, which may be null. The result remembers what was replaced. A mistake leaves
/// `base`.
STILLROOM_API NodePtr merge(const NodePtr& base,
                            const NodePtr& next,
                            const KeyPath& path,
                            const MergeRules& rules,
                            Diagnostics& diagnostics);

/// The value with `replaced` set to what stood there before it.
STILLROOM_API NodePtr replacing(const NodePtr& base, const NodePtr& next);

/// List operators, for files (!append ...) and arguments (key+=[..]) alike. `base` may be null.
STILLROOM_API NodePtr join_lists(Operator how,
                                 const NodePtr& base,
                                 const NodePtr& items,
                                 const KeyPath& path,
                                 Diagnostics& diagnostics);

/// The map with `value` at `key`, in its old place or at the end; null removes the key.
STILLROOM_API NodePtr with_entry(const Node& map,
                                 const std::string& key,
                                 NodePtr value,
                                 Span where);
STILLROOM_API NodePtr with_item(const Node& list, std::size_t index, NodePtr value);

}  // namespace stillroom
