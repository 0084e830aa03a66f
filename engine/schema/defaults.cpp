#include "engine/schema/defaults.h"

#include "engine/base/codes.h"
#include "engine/document/scalar.h"
#include "engine/schema/evaluator.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

constexpr int kDeepest = 200;  // schemas inside one another: the profile has no endless ones

/// A value and the schemas that say something about it: descends into both together, and rebuilds
/// only what changes.
class Walker {
public:
    explicit Walker(Typing typing) : typing_(typing) {
        options_.typing = typing;
        options_.accept_missing = true;
        options_.accept_references = true;
        options_.written_only = true;
    }
    virtual ~Walker() = default;

    NodePtr walk(const SubSchema& schema, const NodePtr& node) {
        // A default that is there is complete and typed already.
        if (schema.always || (node->origin == Origin::schema_default && !makes_defaults_))
            return node;
        if (++depth_ > kDeepest)
            return node;
        NodePtr out = own(schema, node);
        if (out->is_map())
            out = children_of_map(schema, out);
        else if (out->is_list())
            out = children_of_list(schema, out);
        for (const SubSchema* next : in_place(schema, *out))
            out = walk(*next, out);
        --depth_;
        return out;
    }

protected:
    /// What this one schema makes of the value, its children left alone.
    virtual NodePtr own(const SubSchema& schema, const NodePtr& node) = 0;

    Typing typing_;
    bool makes_defaults_ = false;

private:
    bool takes(const SubSchema& schema, const Node& node) {
        return Evaluator(options_, nullptr).run(schema, node);
    }

    std::vector<const SubSchema*> in_place(const SubSchema& schema, const Node& node) {
        std::vector<const SubSchema*> out;
        if (schema.ref)
            out.push_back(schema.ref);
        out.insert(out.end(), schema.all_of.begin(), schema.all_of.end());
        for (const auto* branches : {&schema.any_of, &schema.one_of}) {
            auto chosen = std::find_if(branches->begin(), branches->end(), [&](const auto* branch) {
                return takes(*branch, node);
            });
            if (chosen != branches->end())
                out.push_back(*chosen);
        }
        if (schema.condition) {
            const SubSchema* next =
                takes(*schema.condition, node) ? schema.consequence : schema.alternative;
            if (next)
                out.push_back(next);
        }
        return out;
    }

    NodePtr children_of_map(const SubSchema& schema, const NodePtr& node) {
        std::shared_ptr<Node> changed;
        for (std::size_t i = 0; i < node->entries.size(); ++i) {
            const Entry& entry = node->entries[i];
            std::vector<const SubSchema*> over;
            if (const SubSchema* property = schema.property(entry.key))
                over.push_back(property);
            for (const auto& [pattern, property] : schema.pattern_properties)
                if (pattern.find_in(entry.key) == Pattern::Match::yes)
                    over.push_back(property);
            if (over.empty() && schema.additional_properties)
                over.push_back(schema.additional_properties);
            NodePtr value = entry.value;
            for (const SubSchema* each : over)
                value = walk(*each, value);
            if (value == entry.value)
                continue;
            if (!changed)
                changed = copy(*node);
            changed->entries[i].value = value;
        }
        return changed ? NodePtr(changed) : node;
    }

    NodePtr children_of_list(const SubSchema& schema, const NodePtr& node) {
        std::shared_ptr<Node> changed;
        for (std::size_t i = 0; i < node->items.size(); ++i) {
            const SubSchema* item =
                i < schema.prefix_items.size() ? schema.prefix_items[i] : schema.items;
            NodePtr value = item ? walk(*item, node->items[i]) : node->items[i];
            if (value == node->items[i])
                continue;
            if (!changed)
                changed = copy(*node);
            changed->items[i] = value;
        }
        return changed ? NodePtr(changed) : node;
    }

    ValidateOptions options_;
    int depth_ = 0;
};

/// The `default` of a schema, or of what it refers to.
NodePtr default_of(const SubSchema& schema) {
    const SubSchema* at = &schema;
    for (int i = 0; at && i < kDeepest; ++i, at = at->ref)
        if (NodePtr value = at->node->get("default"))
            return value;
    return nullptr;
}

NodePtr as_default(const Node& node) {
    std::shared_ptr<Node> out = copy(node);
    out->origin = Origin::schema_default;
    for (NodePtr& item : out->items)
        item = as_default(*item);
    for (Entry& entry : out->entries)
        entry.value = as_default(*entry.value);
    return out;
}

class Typist : public Walker {
public:
    explicit Typist(Typing typing, bool makes_defaults = false) : Walker(typing) {
        makes_defaults_ = makes_defaults;
    }

protected:
    NodePtr own(const SubSchema& schema, const NodePtr& node) override {
        if (!node->is_scalar() || node->secret || node->is_missing())
            return node;
        for (const std::optional<ValueSet>* set : {&schema.values, &schema.constant})
            if (*set)
                if (const Node* member = find_value(**set, *node, schema, typing_))
                    return as(node, member->kind, member->text);
        if (schema.types == 0)
            return node;
        View view = view_value(*node, schema, typing_);
        if (view.number)
            return number(schema, node, *view.number);
        if (view.kind == Kind::string && node->kind != Kind::string)
            return as(node, Kind::string, node->text);
        return node;
    }

private:
    static NodePtr number(const SubSchema& schema, const NodePtr& node, const Decimal& value) {
        bool integer = value.is_integer() && (schema.types & type_bit(Kind::integer)) != 0;
        std::optional<std::int64_t> digits = value.to_int64();
        return as(node,
                  integer ? Kind::integer : Kind::number,
                  integer && digits ? std::to_string(*digits) : value.text());
    }

    static NodePtr as(const NodePtr& node, Kind kind, const std::string& text) {
        if (node->kind == kind && node->text == text && !node->leading_zero)
            return node;
        std::shared_ptr<Node> out = copy(*node);
        out->kind = kind;
        out->text = text;
        out->style = kind == Kind::string ? Style::double_quoted : Style::plain;
        out->leading_zero = false;
        return out;
    }
};

class Filler : public Walker {
public:
    explicit Filler(bool makes_defaults = false) : Walker(Typing::recipe) {
        makes_defaults_ = makes_defaults;
    }

protected:
    NodePtr own(const SubSchema& schema, const NodePtr& node) override {
        if (!node->is_map())
            return node;
        std::shared_ptr<Node> filled;
        for (const auto& [name, property] : schema.properties) {
            if (node->find(name))
                continue;
            const NodePtr& value = complete_default(*property);
            if (!value)
                continue;
            if (!filled)
                filled = copy(*node);
            Entry& entry = filled->entries.emplace_back();
            entry.key = name;
            entry.where = value->where;
            entry.value = value;
        }
        return filled ? NodePtr(filled) : node;
    }

private:
    static const NodePtr& complete_default(const SubSchema& property) {
        NodePtr value = property.filled_default ? nullptr : default_of(property);
        if (value) {
            NodePtr filled = Filler(true).walk(property, as_default(*value));
            property.filled_default = Typist(Typing::recipe, true).walk(property, filled);
        }
        return property.filled_default;
    }
};

/// All schemas inside one, each once.
void gather(const SubSchema& schema, std::vector<const SubSchema*>& out) {
    if (std::find(out.begin(), out.end(), &schema) != out.end())
        return;
    out.push_back(&schema);
    for (const auto& [name, property] : schema.properties)
        gather(*property, out);
    for (const auto* list : {&schema.any_of, &schema.one_of, &schema.all_of, &schema.prefix_items})
        for (const SubSchema* each : *list)
            gather(*each, out);
    for (const SubSchema* each : {schema.ref, schema.items, schema.additional_properties})
        if (each)
            gather(*each, out);
}

}  // namespace

void check_defaults(const Schema& schema, Diagnostics& diagnostics) {
    std::vector<const SubSchema*> all;
    gather(schema.root(), all);
    auto check = [&](const SubSchema& each, const Node& value, std::string_view what) {
        ValidateOptions options;
        std::vector<Mistake> mistakes;
        // What must be given need not stand in a map that is only there to be filled in.
        if (value.is_map() && value.entries.empty())
            return;
        Evaluator(options, &mistakes).run(each, value);
        for (const Mistake& mistake : mistakes)
            diagnostics.error(
                code::kStageProfile,
                mistake.where,
                fmt::format("the {} does not fit its own schema: {}", what, mistake.message));
    };
    for (const SubSchema* each : all) {
        if (NodePtr value = each->node->get("default"))
            check(*each, *value, "default");
        NodePtr examples = each->node->get("examples");
        if (examples && examples->is_list())
            for (const NodePtr& example : examples->items)
                check(*each, *example, "example");
    }
}

NodePtr with_defaults(const Schema& schema, const NodePtr& map) {
    return Filler().walk(schema.root(), map);
}

NodePtr typed(const Schema& schema, const NodePtr& value, Typing typing) {
    return Typist(typing).walk(schema.root(), value);
}

}  // namespace stillroom
