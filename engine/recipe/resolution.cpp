#include "engine/recipe/resolution.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/recipe/primitive.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

constexpr std::size_t kHuge = std::size_t{1} << 40;

}  // namespace

Resolution::Resolution(const NodePtr& root, const ResolveOptions& options, Diagnostics& diagnostics)
    : options_(options),
      resolvers_(options.resolvers ? *options.resolvers : standard_resolvers()),
      diagnostics_(diagnostics) {
    root_.node = root;
}

NodePtr Resolution::run() {
    resolve(root_);
    return root_.result ? root_.result : root_.node;
}

NodePtr Resolution::run_at(const std::vector<std::string>& path) {
    Location location = locate(root_, path);
    NodePtr value = location.found == Found::yes ? resolve(*location.slot) : nullptr;
    if (value && value->is_missing()) {
        report(*location.slot,
               value->where,
               code::kMissingValue,
               fmt::format("'{}' is not given yet (\?\?\?)", name_of(*location.slot)))
            .with_hint(fmt::format("give it a value: {}=..", name_of(*location.slot)));
        return nullptr;
    }
    return value;
}

bool Resolution::interpolates(const Node& node) {
    if (node.is_scalar())
        return node.kind == Kind::string && may_interpolate(node.text);
    auto [found, fresh] = interpolates_.try_emplace(&node, false);
    if (!fresh)
        return found->second;
    bool any = false;
    for (const NodePtr& item : node.items)
        any = interpolates(*item) || any;
    for (const Entry& entry : node.entries)
        any = interpolates(*entry.value) || any;
    return interpolates_[&node] = any;
}

/// Nodes of the tree that a shared result stands for, keys counted.
std::size_t Resolution::size_of(const Node& node) {
    if (node.is_scalar())
        return 1;
    auto [found, fresh] = sizes_.try_emplace(&node, 0);
    if (!fresh)
        return found->second;
    std::size_t size = 1 + node.entries.size();
    for (const NodePtr& item : node.items)
        size = std::min(kHuge, size + size_of(*item));
    for (const Entry& entry : node.entries)
        size = std::min(kHuge, size + size_of(*entry.value));
    return sizes_[&node] = size;
}

NodePtr Resolution::fail(Slot& slot) {
    slot.state = State::failed;
    return nullptr;
}

NodePtr Resolution::resolve(Slot& slot) {
    switch (slot.state) {
        case State::done:
            return slot.result;
        case State::failed:
            return nullptr;
        case State::working:
            report_cycle(slot);
            return nullptr;
        case State::fresh:
            break;
    }
    if (!interpolates(*slot.node)) {
        slot.state = State::done;
        return slot.result = slot.node;
    }
    if (depth_ >= kMostDepth) {
        report_depth(slot);
        return fail(slot);
    }
    ++depth_;
    NodePtr out = slot.node->is_scalar() ? resolve_scalar(slot) : resolve_collection(slot);
    --depth_;
    return out;
}

/// Children with mistakes stay as written, and the collection counts as failed for those that
/// refer to it, but is still part of the result.
NodePtr Resolution::resolve_collection(Slot& slot) {
    slot.state = State::working;
    frames_.push_back(&slot);
    auto out = copy(*slot.node);
    bool failed = false;
    for (std::size_t i = 0; i < out->items.size() + out->entries.size(); ++i) {
        NodePtr& place = out->is_list() ? out->items[i] : out->entries[i].value;
        Slot& inner = child_at(slot, i);
        if (NodePtr value = resolve(inner)) {
            place = value;
        } else {
            failed = true;
            if (inner.result)
                place = inner.result;
        }
    }
    frames_.pop_back();
    slot.result = out;
    if (failed)
        return fail(slot);
    slot.state = State::done;
    return slot.result;
}

/// Follows references that are whole values one after the other, then hands the value back along
/// the chain.
NodePtr Resolution::resolve_scalar(Slot& first) {
    std::vector<Slot*> chain;
    NodePtr value;
    Slot* here = &first;
    while (true) {
        bool plain =
            here->state != State::fresh || !here->node->is_scalar() || !interpolates(*here->node);
        if (plain) {
            value = resolve(*here);
            if (value && value->is_missing() && !chain.empty()) {
                Slot& holder = *chain.back();
                report(holder,
                       holder.node->where,
                       code::kMissingValue,
                       fmt::format("'{}' names '{}', which is not given yet",
                                   escape_controls(holder.node->text),
                                   name_of(*here)))
                    .note(value->where, "here it is ???")
                    .with_hint(fmt::format("give it a value: {}=..", name_of(*here)));
                value = nullptr;
            }
            break;
        }
        const ParsedText& text = parsed(*here);
        if (text.mistake) {
            const InterpolationMistake& mistake = *text.mistake;
            report(*here,
                   span_of(*here, mistake.begin, mistake.end),
                   code::kInterpolationSyntax,
                   mistake.message)
                .with_hint(mistake.hint);
            fail(*here);
            break;
        }
        here->state = State::working;
        frames_.push_back(here);
        chain.push_back(here);
        const Interpolation* whole = text.whole();
        if (!whole) {
            if (std::optional<Joined> joined = join(*here, text.pieces)) {
                value = joined_node(*here, std::move(*joined));
                here->result = value;
                here->state = State::done;
                chain.pop_back();
                frames_.pop_back();
            }
            break;
        }
        if (whole->is_call) {
            value = call(*here, *whole);
            break;
        }
        if (!here->target) {
            std::vector<std::string> keys;
            here->locating = true;
            Location location = reference(*here, *whole, keys);
            here->locating = false;
            if (location.found != Found::yes) {
                report_reference(*here, *whole, location, keys);
                break;
            }
            here->target = location.slot;
        }
        here = here->target;
    }
    for (; !chain.empty(); chain.pop_back(), frames_.pop_back()) {
        Slot& slot = *chain.back();
        if (value && !charge(slot, *value, slot.node->where))
            value = nullptr;
        if (!value) {
            fail(slot);
            continue;
        }
        value = slot.result = as_result(slot, value);
        slot.state = State::done;
    }
    return value;
}

/// The value as it stands at the slot that names it.
NodePtr Resolution::as_result(Slot& slot, const NodePtr& value) {
    auto out = copy(*value);
    out->op = slot.node->op;
    out->origin = slot.node->origin;
    out->where = slot.node->where;
    out->begins = value->begins ? value->begins : value->where.begin;
    out->replaced = slot.node->replaced;
    out->written = slot.node;
    return out;
}

NodePtr Resolution::joined_node(Slot& slot, Joined joined) {
    auto out = copy(*slot.node);
    out->text = std::move(joined.text);
    out->secret = joined.secret;
    out->begins = joined.begins;
    out->written = slot.node;
    return out;
}

bool Resolution::charge(Slot& holder, const Node& copied, Span where) {
    std::size_t nodes = size_of(copied);
    added_nodes_ += nodes > 1 ? nodes : 0;
    made_text_ += copied.text.size();
    if (added_nodes_ > options_.most_nodes) {
        report(holder,
               where,
               code::kInterpolationBudget,
               fmt::format("copies of maps and lists would make the recipe larger by more than {} "
                           "values",
                           options_.most_nodes));
        return false;
    }
    if (made_text_ > options_.most_text) {
        report(holder,
               where,
               code::kInterpolationBudget,
               fmt::format("interpolation would make more than {} MiB of text",
                           options_.most_text >> 20));
        return false;
    }
    return true;
}

std::optional<Resolution::Joined> Resolution::join(Slot& holder,
                                                   const std::vector<TextPiece>& pieces) {
    Joined out;
    bool opens_literally = false;
    for (const TextPiece& piece : pieces) {
        Place begins;
        std::string text;
        if (!piece.interpolation) {
            text = piece.literal;
            opens_literally = opens_literally || may_interpolate(text);
            begins = holder.node->begins ? holder.node->begins : holder.node->where.begin;
        } else {
            const Interpolation& interpolation = *piece.interpolation;
            Span where = span_of(holder, interpolation.begin, interpolation.end);
            NodePtr value = evaluate(holder, interpolation);
            if (!value)
                return std::nullopt;
            if (!value->is_scalar()) {
                report(holder,
                       where,
                       code::kCollectionInText,
                       fmt::format("{} cannot stand inside a text", kind_name(value->kind)))
                    .with_hint("name one value of it, or let the reference be the whole value");
                return std::nullopt;
            }
            text = json_spelling(*value);
            if (value->secret) {
                out.secret = true;
                if (!may_interpolate(text))
                    text = "${secret:" + text + "}";
            }
            begins = value->begins ? value->begins : value->where.begin;
        }
        if (out.text.empty())
            out.begins = begins;
        made_text_ += text.size();
        out.text += text;
        if (made_text_ > options_.most_text) {
            report(holder,
                   holder.node->where,
                   code::kInterpolationBudget,
                   fmt::format("interpolation would make more than {} MiB of text",
                               options_.most_text >> 20));
            return std::nullopt;
        }
    }
    if (out.secret && opens_literally) {
        report(holder,
               holder.node->where,
               code::kInterpolationSyntax,
               "a text with a secret in it cannot hold '${' as characters");
        return std::nullopt;
    }
    return out;
}

NodePtr Resolution::evaluate(Slot& holder, const Interpolation& interpolation) {
    if (interpolation.is_call)
        return call(holder, interpolation);
    std::vector<std::string> keys;
    Location location = reference(holder, interpolation, keys);
    if (location.found == Found::yes) {
        NodePtr value = resolve(*location.slot);
        if (!value || !value->is_missing())
            return value;
        location.found = Found::missing;
    }
    report_reference(holder, interpolation, location, keys);
    return nullptr;
}

NodePtr resolve(const NodePtr& root, const ResolveOptions& options, Diagnostics& diagnostics) {
    return Resolution(root, options, diagnostics).run();
}

NodePtr resolve_at(const NodePtr& root,
                   const std::vector<std::string>& path,
                   const ResolveOptions& options,
                   Diagnostics& diagnostics) {
    return Resolution(root, options, diagnostics).run_at(path);
}

}  // namespace stillroom
