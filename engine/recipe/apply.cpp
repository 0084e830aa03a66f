#include "engine/recipe/apply.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/recipe/resolve.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace stillroom {
namespace {

constexpr std::size_t kMostParts = 64;  // of a key: what works on trees calls itself for each

std::optional<std::size_t> list_index(const std::string& text) {
    std::size_t index = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return index;
}

class Editor {
public:
    Editor(const Override& override,
           KeyPath path,
           const DeclaredKeys& declared,
           const MergeRules& rules,
           Diagnostics& diagnostics)
        : override_(override),
          path_(std::move(path)),
          declared_(declared),
          rules_(rules),
          diagnostics_(diagnostics) {}

    NodePtr run(const NodePtr& root) {
        NodePtr changed = edit(root, 0);
        return failed_ || !changed ? root : changed;
    }

private:
    KeyPath head(std::size_t depth) const {
        return {path_.begin(), path_.begin() + static_cast<std::ptrdiff_t>(depth)};
    }

    /// The key as messages name it, up to and including part `depth`.
    std::string name(std::size_t depth) const { return path_text(head(depth + 1)); }

    bool adds() const {
        return override_.kind == OverrideKind::add || override_.kind == OverrideKind::force_add;
    }

    Diagnostic& fail(int code, Span where, std::string message) {
        failed_ = true;
        return diagnostics_.error(code, where, std::move(message)).at_key(path_text(path_));
    }

    /// The new value of the node at path_[0..depth); null removes it.
    NodePtr edit(const NodePtr& node, std::size_t depth) {
        if (depth == path_.size())
            return put(node);
        if (node->is_map())
            return edit_map(node, depth);
        if (node->is_list())
            return edit_list(node, depth);
        if (is_open(*node) && adds())
            return replacing(node, wrap(depth - 1));  // the root is no scalar: depth is not 0
        auto& mistake = fail(code::kPathThroughScalar,
                             override_.key_where,
                             fmt::format("'{}' is {}, it has no key '{}'",
                                         path_text(head(depth)),
                                         node->is_missing() ? "not set" : kind_name(node->kind),
                                         path_[depth]));
        mistake.note(node->where, fmt::format("{} stands here", describe_value(*node)));
        return node;
    }

    NodePtr edit_map(const NodePtr& node, std::size_t depth) {
        const std::string& key = path_[depth];
        const Entry* entry = node->find(key);
        if (!entry) {
            NodePtr made = make_absent(*node, depth);
            return made ? with_entry(*node, key, made, override_.key_where) : node;
        }
        NodePtr value = edit(entry->value, depth + 1);
        if (failed_ || value == entry->value)
            return node;
        return with_entry(*node, key, value, override_.key_where);
    }

    NodePtr edit_list(const NodePtr& node, std::size_t depth) {
        std::optional<std::size_t> index = list_index(path_[depth]);
        if (!index || *index >= node->items.size()) {
            auto& mistake = fail(code::kListIndex,
                                 override_.key_where,
                                 fmt::format("'{}' has {}, there is no '{}'",
                                             path_text(head(depth)),
                                             plural(node->items.size(), "item"),
                                             path_[depth]));
            mistake.note(node->where, "the list stands here");
            mistake.with_hint(index ? fmt::format("append with '{}+=[..]'", path_text(head(depth)))
                                    : "items are counted from 0");
            return node;
        }
        NodePtr value = edit(node->items[*index], depth + 1);
        return failed_ ? node : with_item(*node, *index, value);
    }

    /// The value for a key that its map lacks, or null with a mistake.
    NodePtr make_absent(const Node& map, std::size_t depth) {
        if (adds())
            return wrap(depth);
        bool declared = declared_.declares && declared_.declares(path_);
        if (override_.kind == OverrideKind::remove || !declared) {
            refuse_absent(map, depth);
            return nullptr;
        }
        bool is_list_operator = override_.kind == OverrideKind::append ||
                                override_.kind == OverrideKind::prepend ||
                                override_.kind == OverrideKind::subtract;
        if (is_list_operator)
            joined_ = join(declared_.default_of ? declared_.default_of(path_) : nullptr);
        return failed_ ? nullptr : wrap(depth);
    }

    void refuse_absent(const Node& map, std::size_t depth) {
        bool removes = override_.kind == OverrideKind::remove;
        std::vector<std::string> names;
        for (const Entry& entry : map.entries)
            names.push_back(entry.key);
        // What nobody wrote may still be declared: the part at fault is the first that is neither.
        std::size_t known = depth;
        while (!removes && declared_.declares && known + 1 < path_.size() &&
               declared_.declares(head(known + 1)))
            ++known;
        if (known != depth)
            names.clear();
        depth = known;
        bool is_closed = false;  // a schema says which keys there are: adding another cannot help
        if (declared_.names && !removes)
            for (std::string& declared : declared_.names(head(depth))) {
                names.push_back(std::move(declared));
                is_closed = true;
            }
        std::string hint = did_you_mean(path_[depth], names);
        if (hint.empty() && is_closed)
            hint = below_another(names, depth);
        NodePtr params = path_.size() == 1 ? map.get("params") : nullptr;
        if (params && params->find(path_[0]))
            hint = fmt::format("did you mean 'params.{}'?", path_[0]);
        if (path_.size() == 1 && declared_.groups) {
            std::vector<std::string> groups = declared_.groups();
            std::vector<std::string> near = nearest(path_[0], groups);
            if (!near.empty())
                hint = fmt::format("did you mean the group '{}'?", near.front());
        }
        if (removes) {
            fail(code::kCannotDelete,
                 override_.key_where,
                 fmt::format("'{}' does not exist, it cannot be deleted", name(depth)))
                .with_hint(hint);
            return;
        }
        std::string add = fmt::format("to add it write '+{}'", override_.text);
        if (override_.kind != OverrideKind::change)
            add = fmt::format(
                "to add it write '+{}={}'", path_text(path_), spell_value(*override_.value));
        bool is_param = params && params->find(path_[0]);
        if (is_param)
            add = "";
        else if (is_closed && hint.empty())
            add = names.size() > 16 ? "" : fmt::format("its keys are {}", stillroom::join(names));
        else if (is_closed)
            add = "";
        fail(code::kNothingToChange,
             override_.key_where,
             depth + 1 == path_.size()
                 ? fmt::format("could not override '{}': there is no such key", name(depth))
                 : fmt::format("could not override '{}': there is no key '{}'",
                               path_text(path_),
                               name(depth)))
            .with_hint(hint.empty() || add.empty() ? hint + add : hint + " " + add);
    }

    /// Who writes `lr` for `optimizer.lr`.
    std::string below_another(const std::vector<std::string>& names, std::size_t depth) const {
        KeyPath path = head(depth);
        for (const std::string& name : names) {
            path.push_back(name);
            for (const std::string& below : declared_.names(path))
                if (below == path_[depth])
                    return fmt::format("did you mean '{}.{}'?", name, below);
            path.pop_back();
        }
        return {};
    }

    /// The new value inside maps for the parts of the path after `depth`.
    NodePtr wrap(std::size_t depth) {
        NodePtr value = joined_ ? joined_ : override_.value;
        for (std::size_t i = path_.size(); i-- > depth + 1;) {
            std::shared_ptr<Node> map = make_map(override_.where);
            map->origin = Origin::argument;
            map->entries.push_back({path_[i], override_.key_where, value, false, {}});
            value = map;
        }
        return value;
    }

    NodePtr join(const NodePtr& base) {
        Operator how = override_.kind == OverrideKind::append    ? Operator::append
                       : override_.kind == OverrideKind::prepend ? Operator::prepend
                                                                 : Operator::remove;
        std::size_t before = diagnostics_.errors();
        NodePtr joined = join_lists(how, base, override_.value, path_, diagnostics_);
        failed_ = failed_ || diagnostics_.errors() != before;
        return joined;
    }

    NodePtr put(const NodePtr& old) {
        const NodePtr& value = override_.value;
        switch (override_.kind) {
            case OverrideKind::change:
                if (value->is_missing())  // a file that says so leaves what stands there, no
                                          // argument
                    return replacing(old, value);
                return change(old, value, path_);
            case OverrideKind::add:
                return add(old, value);
            case OverrideKind::force_add:
                if (old->is_map() && value->is_map())
                    return guarded_merge(old, value, path_);
                return replacing(old, value);
            case OverrideKind::remove:
                if (!value || deep_equal(*old, *value))
                    return nullptr;
                fail(code::kCannotDelete,
                     override_.value_where,
                     fmt::format("'{}' is {} and not {}, it stays",
                                 path_text(path_),
                                 describe_value(*old),
                                 describe_value(*value)))
                    .note(old->where, "its value stands here")
                    .with_hint(fmt::format("'~{}' deletes it whatever it is", path_text(path_)));
                return old;
            case OverrideKind::append:
            case OverrideKind::prepend:
            case OverrideKind::subtract:
                return join(old);
            case OverrideKind::replace:
                return replacing(old, value);
        }
        return old;
    }

    NodePtr guarded_merge(const NodePtr& old, const NodePtr& value, const KeyPath& path) {
        std::size_t before = diagnostics_.errors();
        NodePtr merged = merge(old, value, path, rules_, diagnostics_);
        failed_ = failed_ || diagnostics_.errors() != before;
        return merged;
    }

    /// `key=value`: inside maps every key must exist already.
    NodePtr change(const NodePtr& old, const NodePtr& value, const KeyPath& path) {
        if (!old->is_map() || !value->is_map())
            return guarded_merge(old, value, path);
        NodePtr out = old;
        for (const Entry& entry : value->entries) {
            KeyPath inner = path;
            inner.push_back(entry.key);
            const Entry* existing = old->find(entry.key);
            if (existing) {
                out = with_entry(
                    *out, entry.key, change(existing->value, entry.value, inner), entry.where);
            } else if (declared_.declares && declared_.declares(inner)) {
                out = with_entry(*out, entry.key, entry.value, entry.where);
            } else {
                refuse_inner(*old, entry, path);
            }
        }
        if (out == old)
            return old;
        std::shared_ptr<Node> changed = copy(*out);
        changed->replaced = old;
        changed->origin = Origin::argument;
        changed->where = value->where;
        return changed;
    }

    void refuse_inner(const Node& map, const Entry& entry, const KeyPath& path) {
        std::vector<std::string> names;
        for (const Entry& other : map.entries)
            names.push_back(other.key);
        if (declared_.names)
            for (std::string& known : declared_.names(path))
                names.push_back(std::move(known));
        std::string hint = did_you_mean(entry.key, names);
        std::string add =
            fmt::format("to add it write '+{}={{{}: ..}}'", path_text(path), entry.key);
        fail(code::kNothingToChange,
             entry.where,
             fmt::format(
                 "could not override '{}.{}': there is no such key", path_text(path), entry.key))
            .with_hint(hint.empty() ? add : hint + " " + add);
    }

    NodePtr add(const NodePtr& old, const NodePtr& value) {
        if (is_open(*old))
            return replacing(old, value);
        if (old->is_map() && value->is_map())
            return guarded_merge(old, value, path_);
        if (old->is_list() && value->is_list()) {
            diagnostics_
                .warning(code::kAlreadyThere,
                         override_.where,
                         fmt::format("'+{}=[..]' replaces the list", path_text(path_)))
                .note(old->where, "the list stands here")
                .with_hint(
                    fmt::format("'{0}+=[..]' appends, '{0}=[..]' replaces", path_text(path_)));
            return replacing(old, value);
        }
        fail(code::kAlreadyThere,
             override_.key_where,
             fmt::format("'{}' is there already, it cannot be added", path_text(path_)))
            .note(old->where, fmt::format("its value {} stands here", describe_value(*old)))
            .with_hint(fmt::format("to change it write '{0}={1}', or '++{0}={1}' to add or change",
                                   path_text(path_),
                                   spell_value(*value)));
        return old;
    }

    const Override& override_;
    KeyPath path_;
    const DeclaredKeys& declared_;
    const MergeRules& rules_;
    Diagnostics& diagnostics_;
    NodePtr joined_;
    bool failed_ = false;
};

/// `inputs.teacher=SOURCE` gives the input its source and leaves its type alone.
NodePtr give_input(const NodePtr& root, const Override& override, bool& done) {
    done = false;
    bool names_input = override.kind == OverrideKind::change && override.path.size() == 2 &&
                       override.path[0] == "inputs" && override.value &&
                       override.value->is_scalar();
    NodePtr inputs = names_input ? root->get("inputs") : nullptr;
    NodePtr input = inputs && inputs->is_map() ? inputs->get(override.path[1]) : nullptr;
    if (!input)
        return root;
    NodePtr long_form = input;
    if (input->is_scalar()) {
        std::shared_ptr<Node> map = make_map(input->where);
        map->entries.push_back({"type", input->where, input, false, {}});
        long_form = map;
    }
    if (!long_form->is_map())
        return root;
    NodePtr source = replacing(long_form->get("default"), override.value);
    NodePtr filled = with_entry(*long_form, "default", source, override.key_where);
    done = true;
    return with_entry(*root,
                      "inputs",
                      with_entry(*inputs, override.path[1], filled, override.key_where),
                      override.key_where);
}

/// The target of the references on the way of a path, if it is not there: `r.b` through `r:
/// ${gone}`.
std::optional<KeyPath> dangling_target(const NodePtr& root,
                                       const KeyPath& written,
                                       const KeyPath& path) {
    if (path == written)
        return std::nullopt;
    auto [own, same] = std::mismatch(path.rbegin(), path.rend(), written.rbegin(), written.rend());
    KeyPath target(path.begin(), own.base());
    if (target.empty() || look_up(root, target))
        return std::nullopt;
    return target;
}

}  // namespace

NodePtr apply_override(const NodePtr& root,
                       const Override& override,
                       const DeclaredKeys& declared,
                       const MergeRules& rules,
                       Diagnostics& diagnostics) {
    bool done = false;
    NodePtr given = give_input(root, override, done);
    if (done)
        return given;
    // A path may pass through a reference: `r.b` through `r: ${a}` writes into a.
    KeyPath path = follow_path(root, override.path).value_or(override.path);
    if (path.size() > kMostParts) {
        diagnostics.error(
            code::kOverrideKey,
            override.key_where,
            fmt::format("a key of {} parts, at most {} may be nested", path.size(), kMostParts));
        return root;
    }
    if (std::optional<KeyPath> nowhere = dangling_target(root, override.path, path)) {
        diagnostics.error(code::kUnknownReference,
                          override.key_where,
                          fmt::format("'{}' leads through a reference to '{}', which is no key",
                                      fmt::join(override.path, "."),
                                      fmt::join(*nowhere, ".")));
        return root;
    }
    return Editor(override, path, declared, rules, diagnostics).run(root);
}

}  // namespace stillroom
