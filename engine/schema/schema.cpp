#include "engine/schema/schema.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/document/scalar.h"
#include "engine/schema/compiled.h"
#include "engine/schema/resources.h"
#include "engine/schema/uri.h"
#include "engine/schema/values.h"

#include <fmt/format.h>

#include <array>
#include <map>

namespace stillroom {
namespace {

struct TypeName {
    std::string_view name;
    TypeSet bits;
};

constexpr std::array<TypeName, 7> kTypes = {{{"null", type_bit(Kind::null)},
                                             {"boolean", type_bit(Kind::boolean)},
                                             {"integer", type_bit(Kind::integer)},
                                             {"number", type_bit(Kind::number)},
                                             {"string", type_bit(Kind::string)},
                                             {"array", type_bit(Kind::list)},
                                             {"object", type_bit(Kind::map)}}};

/// Turns the parts of documents into SubSchemas. Parts wait in a queue, so that neither a deep
/// schema nor a long chain of references makes the stack deep.
class Compiler {
public:
    Compiler(CompiledSchema& out, const SchemaResolver& resolver, Diagnostics& diagnostics)
        : out_(out),
          resources_(out, resolver, diagnostics),
          diagnostics_(diagnostics) {}

    void run(const NodePtr& document, const std::string& uri) {
        SchemaResource* resource = resources_.add(document, uri);
        out_.root = want(document, resource);
        while (!queue_.empty()) {
            SubSchema* next = queue_.front();
            queue_.pop_front();
            fill(*next);
        }
    }

private:
    /// The compiled form of a part, which is filled later.
    const SubSchema* want(const NodePtr& node, SchemaResource* outer) {
        SchemaResource* resource = resources_.resource_of(node, outer);
        auto [found, added] = made_.try_emplace({node.get(), resource}, nullptr);
        if (added) {
            SubSchema& schema = out_.schemas.emplace_back();
            schema.node = node;
            schema.resource = resource;
            found->second = &schema;
            queue_.push_back(&schema);
            want_dynamic_anchors(resource);
        }
        return found->second;
    }

    /// Any of them may be met through the dynamic scope, so all are compiled with the resource.
    void want_dynamic_anchors(SchemaResource* resource) {
        if (resource->dynamic_anchors.size() == resources_.dynamic_anchors(resource).size())
            return;
        for (const auto& [name, node] : resources_.dynamic_anchors(resource))
            resource->dynamic_anchors.emplace(name, nullptr);
        for (const auto& [name, node] : resources_.dynamic_anchors(resource))
            resource->dynamic_anchors[name] = want(node, resource);
    }

    void wrong_form(const Node& value,
                    std::string_view keyword,
                    std::string_view wanted,
                    std::string hint = {}) {
        diagnostics_
            .error(code::kSchemaForm,
                   value.where,
                   fmt::format("'{}' must be {}, not {}", keyword, wanted, describe_value(value)))
            .with_hint(std::move(hint));
    }

    bool expect(const Entry& entry, Kind kind, std::string_view wanted) {
        if (entry.value->kind == kind)
            return true;
        wrong_form(*entry.value, entry.key, wanted);
        return false;
    }

    void fill(SubSchema& schema) {
        const Node& node = *schema.node;
        if (node.kind == Kind::boolean) {
            schema.always = boolean_value(node);
            return;
        }
        if (!node.is_map()) {
            diagnostics_.error(
                code::kSchemaForm,
                node.where,
                fmt::format("a schema is a map or a boolean, not {}", describe_value(node)));
            schema.always = true;
            return;
        }
        auto* resource = const_cast<SchemaResource*>(schema.resource);
        for (const Entry& entry : node.entries) {
            if (references(schema, entry, resource))
                continue;
            if (resource->applicator && applicators(schema, entry, resource))
                continue;
            if (resource->unevaluated && unevaluated(schema, entry, resource))
                continue;
            if (resource->validation && (numbers(schema, entry) || sizes(schema, entry)))
                continue;
            if (resource->validation)
                assertions(schema, entry);
            if (entry.key == "format" && entry.value->kind == Kind::string)
                schema.format = format_named(entry.value->text);
        }
    }

    bool references(SubSchema& schema, const Entry& entry, SchemaResource* resource) {
        bool dynamic = entry.key == "$dynamicRef";
        if (entry.key != "$ref" && !dynamic)
            return false;
        if (!expect(entry, Kind::string, "a URI"))
            return true;
        std::string uri = resolve_uri(resource->uri, entry.value->text);
        SchemaTarget target = resources_.find(uri);
        if (!target.node) {
            diagnostics_
                .error(code::kSchemaReference,
                       entry.value->where,
                       fmt::format(
                           "{} {} leads nowhere", entry.key, describe_value(*entry.value, 120)))
                .with_hint(uri == entry.value->text ? "" : fmt::format("it means {}", uri));
            return true;
        }
        const SubSchema* to = want(target.node, target.resource);
        if (!dynamic) {
            schema.ref = to;
            return true;
        }
        schema.dynamic_ref = to;
        std::string name = decode_percent(split_fragment(uri).fragment);
        NodePtr anchor = target.node->get("$dynamicAnchor");
        bool looks_outwards = anchor && anchor->kind == Kind::string && anchor->text == name &&
                              resources_.is_dynamic(target.resource, name);
        if (looks_outwards)
            schema.dynamic_anchor = name;
        return true;
    }

    bool one(const SubSchema*& slot, const Entry& entry, SchemaResource* resource) {
        slot = want(entry.value, resource);
        return true;
    }

    bool several(std::vector<const SubSchema*>& slot,
                 const Entry& entry,
                 SchemaResource* resource) {
        if (expect(entry, Kind::list, "a list of schemas"))
            for (const NodePtr& item : entry.value->items)
                slot.push_back(want(item, resource));
        return true;
    }

    bool named(std::vector<std::pair<std::string, const SubSchema*>>& slot,
               const Entry& entry,
               SchemaResource* resource) {
        if (expect(entry, Kind::map, "a map of schemas"))
            for (const Entry& each : entry.value->entries)
                slot.emplace_back(each.key, want(each.value, resource));
        return true;
    }

    bool applicators(SubSchema& s, const Entry& entry, SchemaResource* r) {
        const std::string& key = entry.key;
        if (key == "properties") {
            named(s.properties, entry, r);
            for (const auto& [name, schema] : s.properties)
                s.property_index.emplace(name, schema);
            return true;
        }
        if (key == "patternProperties") {
            if (expect(entry, Kind::map, "a map of schemas"))
                for (const Entry& each : entry.value->entries)
                    if (std::optional<Pattern> pattern = pattern_of(each.key, each.where))
                        s.pattern_properties.emplace_back(*pattern, want(each.value, r));
            return true;
        }
        if (key == "additionalProperties")
            return one(s.additional_properties, entry, r);
        if (key == "propertyNames")
            return one(s.property_names, entry, r);
        if (key == "dependentSchemas")
            return named(s.dependent_schemas, entry, r);
        if (key == "prefixItems")
            return several(s.prefix_items, entry, r);
        if (key == "items")
            return one(s.items, entry, r);
        if (key == "contains")
            return one(s.contains, entry, r);
        if (key == "allOf")
            return several(s.all_of, entry, r);
        if (key == "anyOf")
            return several(s.any_of, entry, r);
        if (key == "oneOf")
            return several(s.one_of, entry, r);
        if (key == "not")
            return one(s.negated, entry, r);
        if (key == "if")
            return one(s.condition, entry, r);
        if (key == "then")
            return one(s.consequence, entry, r);
        if (key == "else")
            return one(s.alternative, entry, r);
        return false;
    }

    bool unevaluated(SubSchema& s, const Entry& entry, SchemaResource* r) {
        if (entry.key == "unevaluatedProperties")
            return one(s.unevaluated_properties, entry, r);
        if (entry.key == "unevaluatedItems")
            return one(s.unevaluated_items, entry, r);
        return false;
    }

    bool numbers(SubSchema& s, const Entry& entry) {
        std::optional<Decimal>* slot = entry.key == "minimum"            ? &s.minimum
                                       : entry.key == "maximum"          ? &s.maximum
                                       : entry.key == "exclusiveMinimum" ? &s.above
                                       : entry.key == "exclusiveMaximum" ? &s.below
                                       : entry.key == "multipleOf"       ? &s.multiple_of
                                                                         : nullptr;
        if (!slot)
            return false;
        *slot = decimal_value(*entry.value);
        if (!*slot)
            wrong_form(*entry.value, entry.key, "a number");
        else if (slot == &s.multiple_of && (**slot <=> Decimal(0)) <= 0)
            wrong_form(*entry.value, entry.key, "a number above 0");
        return true;
    }

    bool sizes(SubSchema& s, const Entry& entry) {
        const std::string& key = entry.key;
        std::optional<std::size_t>* slot = key == "minLength"       ? &s.min_length
                                           : key == "maxLength"     ? &s.max_length
                                           : key == "minItems"      ? &s.min_items
                                           : key == "maxItems"      ? &s.max_items
                                           : key == "minProperties" ? &s.min_properties
                                           : key == "maxProperties" ? &s.max_properties
                                           : key == "minContains"   ? &s.min_contains
                                           : key == "maxContains"   ? &s.max_contains
                                                                    : nullptr;
        if (!slot)
            return false;
        std::optional<Decimal> value = decimal_value(*entry.value);
        if (!value || !value->is_integer() || value->is_negative()) {
            wrong_form(*entry.value, key, "an integer of at least 0");
            return true;
        }
        // What does not fit is out of the reach of any instance.
        std::optional<std::int64_t> fits = value->to_int64();
        *slot = fits ? static_cast<std::size_t>(*fits) : SIZE_MAX;
        return true;
    }

    void assertions(SubSchema& s, const Entry& entry) {
        const std::string& key = entry.key;
        const Node& value = *entry.value;
        if (key == "type") {
            types(s, entry);
        } else if (key == "enum") {
            if (expect(entry, Kind::list, "a list of values"))
                s.values = value_set(value.items);
        } else if (key == "const") {
            s.constant = value_set({entry.value});
        } else if (key == "pattern") {
            if (expect(entry, Kind::string, "a pattern"))
                s.pattern = pattern_of(value.text, value.where);
        } else if (key == "uniqueItems") {
            if (expect(entry, Kind::boolean, "a boolean"))
                s.unique_items = boolean_value(value);
        } else if (key == "required") {
            s.required = names(entry);
        } else if (key == "dependentRequired") {
            if (expect(entry, Kind::map, "a map of lists of names"))
                for (const Entry& each : value.entries)
                    s.dependent_required.emplace_back(each.key, names(each));
        }
    }

    void types(SubSchema& s, const Entry& entry) {
        auto add = [&](const Node& name) {
            for (const TypeName& each : kTypes)
                if (name.is_scalar() && name.text == each.name) {
                    s.types = static_cast<TypeSet>(s.types | each.bits);
                    return;
                }
            // A YAML schema may write null without quotes.
            std::vector<std::string> known;
            for (const TypeName& each : kTypes)
                known.emplace_back(each.name);
            wrong_form(name, "type", join(known, "or"), did_you_mean(name.text, known));
        };
        if (entry.value->is_list())
            for (const NodePtr& name : entry.value->items)
                add(*name);
        else
            add(*entry.value);
    }

    std::vector<std::string> names(const Entry& entry) {
        std::vector<std::string> out;
        if (!expect(entry, Kind::list, "a list of names"))
            return out;
        for (const NodePtr& name : entry.value->items)
            if (name->kind == Kind::string)
                out.push_back(name->text);
            else
                wrong_form(*name, entry.key, "a list of names");
        return out;
    }

    ValueSet value_set(std::vector<NodePtr> values) {
        ValueSet set;
        for (const NodePtr& value : values)
            set.keys.insert(value_key(*value));
        set.values = std::move(values);
        return set;
    }

    std::optional<Pattern> pattern_of(const std::string& text, Span where) {
        auto found = patterns_.find(text);
        if (found == patterns_.end())
            found = patterns_.emplace(text, Pattern(text)).first;
        if (found->second.ok())
            return found->second;
        diagnostics_.error(code::kSchemaPattern,
                           where,
                           fmt::format("pattern '{}' cannot be read: {} at offset {}",
                                       escape_controls(shorten(text, 80)),
                                       found->second.problem(),
                                       found->second.offset()));
        return std::nullopt;
    }

    CompiledSchema& out_;
    SchemaResources resources_;
    Diagnostics& diagnostics_;
    std::map<std::pair<const Node*, const SchemaResource*>, SubSchema*> made_;
    std::deque<SubSchema*> queue_;
    std::unordered_map<std::string, Pattern> patterns_;
};

}  // namespace

Schema::Schema(std::shared_ptr<const CompiledSchema> compiled) : compiled_(std::move(compiled)) {}

const SubSchema& Schema::root() const {
    return *compiled_->root;
}

const NodePtr& Schema::document() const {
    return compiled_->document;
}

Schema compile(const NodePtr& document,
               const std::string& uri,
               const SchemaResolver& resolver,
               Diagnostics& diagnostics) {
    auto compiled = std::make_shared<CompiledSchema>();
    compiled->document = document;
    std::size_t before = diagnostics.errors();
    Compiler(*compiled, resolver, diagnostics).run(document, uri);
    if (diagnostics.errors() != before)
        return {};
    return Schema(std::move(compiled));
}

}  // namespace stillroom
