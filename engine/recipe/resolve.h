#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/recipe/resolvers.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

struct ResolveOptions {
    /// The value of a variable, or nothing if it is not set.
    std::function<std::optional<std::string>(const std::string& name)> environment;
    /// Names beyond the built-in list that `oc.env` may read. A trailing '*' stands for any end.
    std::vector<std::string> allowed_names;
    /// Says which places lie in the text of a remote recipe, which reads no variable. Null: none.
    std::function<bool(Span)> is_remote = nullptr;
    /// Null: the standard resolvers.
    const ResolverTable* resolvers = nullptr;

    std::size_t most_nodes = 20'000;    ///< that copies add to the tree, keys counted
    std::size_t most_text = 16u << 20;  ///< bytes of text that interpolation makes
};

/// The tree with every `${...}` resolved; parts without any are shared with `root`. Every mistake
/// is collected; the value at fault stays as written, and what depends on it is silent.
///
/// A value that is one `${...}` takes the target's kind, style and text, or its whole map or list;
/// `written` is the node as it was, `where` stays its place, `begins` is where the text begins that
/// it now has. Escapes are taken off. A value of `${secret:NAME}` has `secret` set and the text
/// NAME; a text around one keeps the words `${secret:NAME}` inside, and only the worker fills them.
///
/// `written` nodes keep their `replaced`; so do resolved ones.
STILLROOM_API NodePtr resolve(const NodePtr& root,
                              const ResolveOptions& options,
                              Diagnostics& diagnostics);

/// The value at a path, resolved, and no more of the tree than it needs. Null if there is no such
/// key, or on a mistake (then it is in the diagnostics).
STILLROOM_API NodePtr resolve_at(const NodePtr& root,
                                 const std::vector<std::string>& path,
                                 const ResolveOptions& options,
                                 Diagnostics& diagnostics);

/// The child of a map or list; a list takes "0" and "-1". Null if there is none.
STILLROOM_API NodePtr child_of(const Node& node, const std::string& key);

/// The value at a path, without resolving anything on the way. Null if there is none.
STILLROOM_API NodePtr look_up(const NodePtr& root, const std::vector<std::string>& path);

/// Where a path leads when references that are whole values are followed on the way: `r.b` through
/// `r: ${a}` is `a.b`. The last step is not followed. The path itself if no reference is met;
/// nothing if one cannot be followed (a call, a nested `${}`, a cycle).
STILLROOM_API std::optional<std::vector<std::string>> follow_path(
    const NodePtr& root, const std::vector<std::string>& path);

/// The path that a value names, if it is one plain `${a.b}` (relative ones count from `at`, the
/// value's own path) and nothing else.
STILLROOM_API std::optional<std::vector<std::string>> reference_target(
    const Node& value, const std::vector<std::string>& at);

/// What a value is that may be a reference: the value itself, or the target at the end of the
/// chain of plain references; null where that leads nowhere. For merging over `a: ${b}`.
STILLROOM_API NodePtr dereference(const NodePtr& root,
                                  const NodePtr& value,
                                  const std::vector<std::string>& at);

}  // namespace stillroom
