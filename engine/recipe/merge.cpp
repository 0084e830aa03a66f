#include "engine/recipe/merge.h"

#include "engine/base/codes.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

/// `${...}` and nothing beside it.
bool is_reference(const Node& node) {
    if (node.kind != Kind::string || !node.text.starts_with("${") || !node.text.ends_with("}"))
        return false;
    int depth = 0;
    for (std::size_t i = 0; i < node.text.size(); ++i) {
        if (node.text[i] == '{')
            ++depth;
        if (node.text[i] == '}' && --depth == 0)
            return i + 1 == node.text.size();
    }
    return false;
}

/// !append and its like without anything to join: the value itself, in every depth.
NodePtr without_operators(const NodePtr& node, const KeyPath& path, Diagnostics& diagnostics) {
    if (node->op == Operator::remove && node->is_list() && !node->items.empty())
        return join_lists(Operator::remove, nullptr, node, path, diagnostics);
    std::shared_ptr<Node> changed;
    auto edit = [&]() -> Node& {
        if (!changed)
            changed = copy(*node);
        return *changed;
    };
    if (node->op != Operator::none)
        edit().op = Operator::none;
    for (std::size_t i = 0; i < node->items.size(); ++i) {
        NodePtr item = without_operators(node->items[i], path, diagnostics);
        if (item != node->items[i])
            edit().items[i] = item;
    }
    bool drops = false;
    for (std::size_t i = 0; i < node->entries.size(); ++i) {
        const Entry& entry = node->entries[i];
        if (entry.value->op == Operator::unset) {
            drops = true;
            continue;
        }
        KeyPath inner = path;
        inner.push_back(entry.key);
        NodePtr value = without_operators(entry.value, inner, diagnostics);
        if (value != entry.value)
            edit().entries[i].value = value;
    }
    if (drops)
        std::erase_if(edit().entries,
                      [](const Entry& entry) { return entry.value->op == Operator::unset; });
    return changed ? changed : node;
}

void cannot_merge(const NodePtr& base,
                  const NodePtr& next,
                  const KeyPath& path,
                  Diagnostics& diagnostics) {
    auto& mistake = diagnostics
                        .error(code::kMergeKinds,
                               next->where,
                               fmt::format("'{}' is {}, {} cannot take its place",
                                           path_text(path),
                                           kind_name(base->kind),
                                           kind_name(next->kind)))
                        .at_key(path_text(path))
                        .note(base->where, fmt::format("{} stands here", kind_name(base->kind)));
    if (next->is_map())
        mistake.with_hint(fmt::format(
            "'!replace' before the map in a file, or '{}:={{..}}' on the command line replace it",
            path_text(path)));
    else
        mistake.with_hint(
            fmt::format("'++{}=..' on the command line replaces it", path_text(path)));
}

NodePtr merge_maps(const NodePtr& base,
                   const NodePtr& next,
                   const KeyPath& path,
                   const MergeRules& rules,
                   Diagnostics& diagnostics) {
    if (next->entries.empty())
        return base;
    std::shared_ptr<Node> out = copy(*base);
    out->where = next->where;
    out->begins = next->begins;
    out->origin = next->origin;
    out->replaced = base;
    bool drops = false;
    for (const Entry& entry : next->entries) {
        KeyPath inner = path;
        inner.push_back(entry.key);
        const Entry* before = base->find(entry.key);  // keys are unique, so added ones need no look
        if (!before && entry.value->op == Operator::unset)
            continue;
        if (!before) {
            out->entries.push_back(entry);
            out->entries.back().value = without_operators(entry.value, inner, diagnostics);
            continue;
        }
        Entry& old = out->entries[static_cast<std::size_t>(before - base->entries.data())];
        if (entry.value->op == Operator::unset) {
            drops = true;
            old.value = entry.value;
            continue;
        }
        old.value = merge(old.value, entry.value, inner, rules, diagnostics);
        if (!old.first)
            old.first = old.where;
        old.where = entry.where;
    }
    if (drops)
        std::erase_if(out->entries,
                      [](const Entry& entry) { return entry.value->op == Operator::unset; });
    return out;
}

}  // namespace

std::string path_text(const KeyPath& path) {
    std::string out;
    for (const std::string& part : path)
        out += (out.empty() ? "" : ".") + part;
    return out;
}

NodePtr replacing(const NodePtr& base, const NodePtr& next) {
    if (!base || base == next)
        return next;
    std::shared_ptr<Node> out = copy(*next);
    out->replaced = base;
    return out;
}

NodePtr join_lists(Operator how,
                   const NodePtr& base,
                   const NodePtr& items,
                   const KeyPath& path,
                   Diagnostics& diagnostics) {
    if (!items->is_list()) {
        diagnostics
            .error(code::kListOperator,
                   items->where,
                   fmt::format("'{}' is joined with {}, a list is wanted",
                               path_text(path),
                               kind_name(items->kind)))
            .at_key(path_text(path));
        return base;
    }
    if (base && !base->is_list() && !is_open(*base)) {
        diagnostics
            .error(code::kListOperator,
                   items->where,
                   fmt::format("'{}' is {}, only a list can be added to or taken from",
                               path_text(path),
                               kind_name(base->kind)))
            .at_key(path_text(path))
            .note(base->where, "its value stands here");
        return base;
    }
    std::vector<NodePtr> old;
    if (base && base->is_list())
        old = base->items;
    std::shared_ptr<Node> out = copy(*items);
    out->op = Operator::none;
    out->replaced = base;
    if (how == Operator::append) {
        out->items = old;
        out->items.insert(out->items.end(), items->items.begin(), items->items.end());
    } else if (how == Operator::prepend) {
        out->items.insert(out->items.end(), old.begin(), old.end());
    } else {
        for (const NodePtr& item : items->items) {
            std::size_t before = old.size();
            std::erase_if(old, [&](const NodePtr& other) { return deep_equal(*other, *item); });
            if (old.size() == before)
                diagnostics
                    .error(code::kListOperator,
                           item->where,
                           fmt::format("{} is not in '{}', it cannot be removed",
                                       describe_value(*item),
                                       path_text(path)))
                    .at_key(path_text(path));
        }
        out->items = old;
    }
    return out;
}

NodePtr merge(const NodePtr& base,
              const NodePtr& next,
              const KeyPath& path,
              const MergeRules& rules,
              Diagnostics& diagnostics) {
    if (next->op == Operator::append || next->op == Operator::prepend ||
        next->op == Operator::remove)
        return join_lists(next->op, base, next, path, diagnostics);
    if (base && next->is_missing())
        return base;
    if (!base || next->op == Operator::replace || is_open(*base))
        return replacing(base, without_operators(next, path, diagnostics));
    if (base->is_map() && next->is_map())
        return merge_maps(base, next, path, rules, diagnostics);
    if (next->is_map() && is_reference(*base) && rules.follow) {
        NodePtr target = rules.follow(*base);
        if (target && target->is_map()) {
            NodePtr merged = merge_maps(target, next, path, rules, diagnostics);
            std::shared_ptr<Node> out = copy(*merged);
            out->replaced = base;
            return out;
        }
    }
    bool apart = (base->is_map() && next->is_list()) || (base->is_list() && next->is_map());
    bool map_to_scalar =
        base->is_map() && next->is_scalar() && !next->is_null() && !is_reference(*next);
    if (apart || map_to_scalar) {
        cannot_merge(base, next, path, diagnostics);
        return base;
    }
    return replacing(base, without_operators(next, path, diagnostics));
}

NodePtr with_entry(const Node& map, const std::string& key, NodePtr value, Span where) {
    std::shared_ptr<Node> out = copy(map);
    auto old = std::find_if(out->entries.begin(), out->entries.end(), [&](const Entry& entry) {
        return entry.key == key;
    });
    if (!value) {
        if (old != out->entries.end())
            out->entries.erase(old);
    } else if (old == out->entries.end()) {
        out->entries.push_back({key, where, std::move(value), false, {}});
    } else {
        old->value = std::move(value);
    }
    return out;
}

NodePtr with_item(const Node& list, std::size_t index, NodePtr value) {
    std::shared_ptr<Node> out = copy(list);
    if (value)
        out->items[index] = std::move(value);
    else
        out->items.erase(out->items.begin() + static_cast<std::ptrdiff_t>(index));
    return out;
}

}  // namespace stillroom
