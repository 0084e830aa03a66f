// Where references lead, and what is said if they lead nowhere.
#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/recipe/resolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace stillroom {
namespace {

constexpr int kMostHops = 10'000;
constexpr std::size_t kMostShownHops = 8;

/// The place of an item: "0", "-1", "+1", "01"; nothing if there is none.
std::optional<std::size_t> item_index(std::string_view key, std::size_t count) {
    std::int64_t index = 0;
    std::string_view digits = key.starts_with('+') ? key.substr(1) : key;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size())
        return std::nullopt;
    auto size = static_cast<std::int64_t>(count);
    if (index >= size || index < -size)
        return std::nullopt;
    return static_cast<std::size_t>(index < 0 ? index + size : index);
}

std::optional<std::size_t> child_index(const Node& node, const std::string& key) {
    if (node.is_list())
        return item_index(key, node.items.size());
    if (const Entry* entry = node.find(key))
        return static_cast<std::size_t>(entry - node.entries.data());
    return std::nullopt;
}

/// Paths of up to three values of that key anywhere in the tree.
void find_key(const Node& node,
              const std::string& key,
              const std::string& prefix,
              std::vector<std::string>& out) {
    for (const Entry& entry : node.entries) {
        if (out.size() == 3)
            return;
        std::string path = prefix.empty() ? entry.key : prefix + "." + entry.key;
        if (entry.key == key)
            out.push_back(path);
        else
            find_key(*entry.value, key, path, out);
    }
}

std::string joined(const std::vector<std::string>& keys, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i)
        out += (i ? "." : "") + keys[i];
    return out;
}

bool is_variable_like(std::string_view name) {
    return name.size() > 1 && name[0] >= 'A' && name[0] <= 'Z' &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
           });
}

}  // namespace

NodePtr child_of(const Node& node, const std::string& key) {
    std::optional<std::size_t> index = child_index(node, key);
    if (!index)
        return nullptr;
    return node.is_list() ? node.items[*index] : node.entries[*index].value;
}

Resolution::Slot& Resolution::child_at(Slot& slot, std::size_t index) {
    const Node& node = *slot.node;
    if (slot.children.empty())
        slot.children.resize(node.items.size() + node.entries.size());
    std::unique_ptr<Slot>& child = slot.children[index];
    if (!child) {
        child = std::make_unique<Slot>();
        child->node = node.is_list() ? node.items[index] : node.entries[index].value;
        child->parent = &slot;
        child->index = index;
    }
    return *child;
}

Resolution::Slot* Resolution::child(Slot& slot, const std::string& key) {
    std::optional<std::size_t> index = child_index(*slot.node, key);
    return index ? &child_at(slot, *index) : nullptr;
}

const ParsedText& Resolution::parsed(Slot& slot) {
    if (!slot.parsed)
        slot.parsed = std::make_unique<ParsedText>(parse_text(slot.node->text));
    return *slot.parsed;
}

std::vector<std::string> Resolution::path_of(const Slot& slot) const {
    std::vector<std::string> path;
    for (const Slot* here = &slot; here->parent; here = here->parent) {
        const Node& node = *here->parent->node;
        path.push_back(node.is_list() ? std::to_string(here->index)
                                      : node.entries[here->index].key);
    }
    std::reverse(path.begin(), path.end());
    return path;
}

std::string Resolution::name_of(const Slot& slot) const {
    std::vector<std::string> path = path_of(slot);
    return escape_controls(joined(path, path.size()));
}

/// The slot where a path goes on: past references, and past calls, whose result it is then.
Resolution::Slot* Resolution::container(Slot& slot) {
    Slot* here = &slot;
    for (int hops = 0; here->node->is_scalar() && interpolates(*here->node); ++hops) {
        if (here->state == State::done && here->result == here->node)
            return here;  // text that holds '${' as characters
        if (here->beyond) {
            here = here->beyond.get();
            continue;
        }
        if (here->target && hops < kMostHops) {
            here = here->target;
            continue;
        }
        if (here->state == State::failed)
            return nullptr;
        if (here->locating || hops >= kMostHops) {
            report_cycle(*here);
            return nullptr;
        }
        const ParsedText& text = parsed(*here);
        const Interpolation* whole = text.whole();
        bool follows = whole && !whole->is_call && !text.mistake && here->state == State::fresh;
        if (!follows) {
            NodePtr value = resolve(*here);
            if (!value)
                return nullptr;
            here->beyond = std::make_unique<Slot>();
            here->beyond->node = value;
            here->beyond->parent = here->parent;
            here->beyond->index = here->index;
            here->beyond->state = State::done;
            here->beyond->result = value;
            return here->beyond.get();
        }
        std::vector<std::string> keys;
        here->locating = true;
        frames_.push_back(here);
        ++depth_;
        Location location = reference(*here, *whole, keys);
        --depth_;
        frames_.pop_back();
        here->locating = false;
        if (location.found != Found::yes) {
            if (here->state != State::failed)
                report_reference(*here, *whole, location, keys);
            fail(*here);
            return nullptr;
        }
        here->target = location.slot;
    }
    return here;
}

Resolution::Location Resolution::locate(Slot& from, const std::vector<std::string>& keys) {
    Slot* here = &from;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        Slot* inside = container(*here);
        if (!inside)
            return {Found::broken, here, i};
        if (inside->node->is_scalar())
            return {inside->node->is_missing() ? Found::missing : Found::no_container, inside, i};
        here = child(*inside, keys[i]);
        if (!here)
            return {Found::absent, inside, i};
        // The values of a result are resolved already.
        if (inside->state == State::done && !inside->parsed && inside->result == inside->node &&
            here->state == State::fresh) {
            here->state = State::done;
            here->result = here->node;
        }
    }
    return {Found::yes, here, keys.size()};
}

/// False if a nested interpolation has no text, which is reported.
bool Resolution::path_keys(Slot& holder,
                           const Interpolation& reference,
                           std::vector<std::string>& keys) {
    for (const PathStep& step : reference.path) {
        if (!step.nested) {
            keys.push_back(step.key);
            continue;
        }
        NodePtr value = evaluate(holder, *step.nested);
        if (!value)
            return false;
        std::optional<std::vector<std::string>> path;
        if (value->kind == Kind::string && !value->secret)
            path = split_path(value->text);
        if (!path) {
            report(holder,
                   span_of(holder, step.nested->begin, step.nested->end),
                   code::kInterpolationSyntax,
                   fmt::format("{} is no part of a path",
                               value->secret ? "a secret" : describe_value(*value)))
                .with_hint(value->kind == Kind::integer ? "write the number in quotes where it is "
                                                          "given"
                                                        : "");
            return false;
        }
        keys.insert(keys.end(), path->begin(), path->end());
    }
    return true;
}

Resolution::Location Resolution::reference(Slot& holder,
                                           const Interpolation& reference,
                                           std::vector<std::string>& keys) {
    if (depth_ >= kMostDepth) {
        report_depth(holder);
        return {};
    }
    if (!path_keys(holder, reference, keys))
        return {};
    bool output =
        reference.dots == 0 && keys.size() > 3 && keys[0] == "stages" && keys[2] == "outputs";
    if (output) {
        report(holder,
               span_of(holder, reference.begin, reference.end),
               code::kStageReference,
               fmt::format("an output of a stage is not read by '${{..}}'"))
            .with_hint(fmt::format("write {}.{}", keys[1], keys[3]));
        return {};
    }
    Slot* base = reference.dots == 0 ? &root_ : &holder;
    for (int i = 0; i < reference.dots; ++i) {
        base = base->parent;
        if (!base)
            return {Found::above, &holder, 0};
    }
    return locate(*base, keys);
}

Span Resolution::span_of(const Slot& holder, std::size_t begin, std::size_t end) const {
    const Node& node = *holder.node;
    std::size_t length = node.where.end.at - node.where.begin.at;
    bool quotes = length == node.text.size() + 2 &&
                  (node.style == Style::single_quoted || node.style == Style::double_quoted);
    if (!node.where || (length != node.text.size() && !quotes))
        return node.where;  // escapes or folded lines: the text is not what stands there
    auto place = [&](std::size_t offset) {
        return Place{
            node.where.begin.at +
            static_cast<std::uint32_t>(std::min(offset, node.text.size()) + (quotes ? 1 : 0))};
    };
    return {place(begin), place(end)};
}

Diagnostic& Resolution::report(Slot& holder, Span where, int code, std::string message) {
    return diagnostics_.error(code, where, std::move(message)).at_key(name_of(holder));
}

void Resolution::report_depth(Slot& slot) {
    report(slot,
           slot.node->where,
           code::kInterpolationBudget,
           fmt::format("values refer to each other more than {} deep", kMostDepth));
}

void Resolution::report_cycle(Slot& slot) {
    auto first = std::find(frames_.begin(), frames_.end(), &slot);
    std::vector<Slot*> hops(first, frames_.end());
    if (hops.empty())
        hops.push_back(&slot);
    std::string names;
    for (std::size_t i = 0; i < std::min(hops.size(), kMostShownHops); ++i)
        names += name_of(*hops[i]) + " -> ";
    if (hops.size() > kMostShownHops)
        names += "... -> ";
    Diagnostic& diagnostic =
        report(slot,
               slot.node->where,
               code::kReferenceCycle,
               fmt::format("'{}' needs itself: {}{}", name_of(slot), names, name_of(slot)));
    for (std::size_t i = 1; i < hops.size(); ++i) {
        const Node& node = *hops[i]->node;
        diagnostic.note(node.where,
                        node.is_scalar()
                            ? fmt::format("'{}' is {}", name_of(*hops[i]), describe_value(node, 60))
                            : fmt::format("'{}' holds the next", name_of(*hops[i])));
    }
}

std::string Resolution::suggestion(const Location& location, const std::vector<std::string>& keys) {
    const Node& node = *location.slot->node;
    const std::string& key = keys[location.step];
    if (node.is_list())
        return fmt::format("the list has {}, counted from 0", plural(node.items.size(), "item"));
    std::vector<std::string> names;
    for (const Entry& entry : node.entries)
        names.push_back(entry.key);
    std::vector<std::string> near = nearest(key, names);
    if (near.empty())
        find_key(*root_.node, keys.back(), "", near);
    else
        for (std::string& name : near)
            name = joined(keys, location.step) + (location.step ? "." : "") + name;
    if (near.empty() && keys.size() == 1 && is_variable_like(key))
        return names_secret(key)
                   ? fmt::format("a secret is given by ${{secret:{}}}", key)
                   : fmt::format("an environment variable is read by ${{oc.env:{}}}", key);
    for (std::string& name : near)
        name = fmt::format("'{}'", escape_controls(name));
    return near.empty() ? "" : fmt::format("did you mean {}?", stillroom::join(near, "or"));
}

void Resolution::report_reference(Slot& holder,
                                  const Interpolation& reference,
                                  const Location& location,
                                  const std::vector<std::string>& keys) {
    if (location.found == Found::broken)
        return;
    Span where = span_of(holder, reference.begin, reference.end);
    std::string dots(static_cast<std::size_t>(reference.dots), '.');
    std::string path = escape_controls(shorten(dots + joined(keys, keys.size()), 80));
    if (location.found == Found::above) {
        report(holder,
               where,
               code::kUnknownReference,
               fmt::format("'${{{}}}' leads above the root", path))
            .with_hint(fmt::format("'{}' lies {} below the root",
                                   name_of(holder),
                                   plural(path_of(holder).size(), "level")));
        return;
    }
    std::string owner = name_of(*location.slot);
    if (location.found == Found::absent) {
        std::string key = escape_controls(shorten(keys[location.step], 40));
        report(holder,
               where,
               code::kUnknownReference,
               owner.empty() || location.slot == &root_
                   ? fmt::format("'${{{}}}' names no key", path)
                   : fmt::format("'${{{}}}' names no key: '{}' has no '{}'", path, owner, key))
            .with_hint(suggestion(location, keys));
        return;
    }
    const Node& node = *location.slot->node;
    if (location.found == Found::missing) {
        report(holder,
               where,
               code::kMissingValue,
               fmt::format("'${{{}}}' names '{}', which is not given yet", path, owner))
            .note(node.where, "here it is ???")
            .with_hint(fmt::format("give it a value: {}=..", owner));
        return;
    }
    report(holder,
           where,
           code::kNoContainer,
           fmt::format("'${{{}}}' goes through '{}', which is {} and has no keys",
                       path,
                       owner,
                       describe_value(node)))
        .note(node.where, "it is set here");
}

}  // namespace stillroom
