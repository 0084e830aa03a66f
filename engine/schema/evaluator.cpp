#include "engine/schema/evaluator.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/schema/branches.h"
#include "engine/schema/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace stillroom {
namespace {

constexpr int kDeepest = 1'500;  // schemas inside one another, values and references together

std::size_t code_points(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
}

void mark(std::vector<bool>* flags, std::size_t index) {
    if (flags)
        (*flags)[index] = true;
}

}  // namespace

void Evaluated::add(const Evaluated& other) {
    for (std::size_t i = 0; i < properties.size(); ++i)
        properties[i] = properties[i] || other.properties[i];
    for (std::size_t i = 0; i < items.size(); ++i)
        items[i] = items[i] || other.items[i];
}

bool Evaluator::run(const SubSchema& schema, const Node& value) {
    root_ = &value;
    return apply(schema, value, Step(), nullptr);
}

bool Evaluator::takes(const SubSchema& schema, const Node& value, const Step& at) {
    return tries(schema, value, at, nullptr);
}

bool Evaluator::tries(const SubSchema& schema,
                      const Node& node,
                      const Step& at,
                      Evaluated* gathered) {
    std::vector<Mistake>* mistakes = std::exchange(mistakes_, nullptr);
    std::optional<Evaluated> own;
    if (gathered)
        own.emplace(node);
    bool ok = apply(schema, node, at, own ? &*own : nullptr);
    if (ok && gathered)
        gathered->add(*own);
    mistakes_ = mistakes;
    return ok;
}

bool Evaluator::is_open(const Node& node) const {
    return (options_.accept_missing && node.is_missing()) ||
           (options_.accept_references && node.kind == Kind::string &&
            node.text.find("${") != std::string::npos);
}

bool Evaluator::is_written(const Entry& entry) const {
    return !options_.written_only || entry.value->origin != Origin::schema_default;
}

const Entry* Evaluator::written(const Node& map, std::string_view key) const {
    const Entry* entry = map.find(key);
    if (!entry && &map == root_ && options_.beside)
        entry = options_.beside->find(key);
    return entry && is_written(*entry) ? entry : nullptr;
}

bool Evaluator::apply(const SubSchema& schema,
                      const Node& node,
                      const Step& at,
                      Evaluated* gathered) {
    if (++steps_ > options_.most_steps)
        throw Error({}, "checking against this schema takes too many steps").exit_code(kExitUsage);
    if (schema.always) {
        if (!*schema.always && collecting())
            report(code::kForbidden, key_of(at, node), node, at, forbidden_text(at_name(at)));
        return *schema.always;
    }
    // A secret's text is its name, which says nothing of its value.
    if (is_open(node) || (node.secret && node.is_scalar()))
        return true;
    if (++depth_ > kDeepest)
        throw Error({}, "the schema refers to itself without end, or the value is too deep")
            .exit_code(kExitUsage);
    bool enters = scope_.empty() || scope_.back() != schema.resource;
    if (enters)
        scope_.push_back(schema.resource);
    bool ok;
    if (schema.gathers()) {
        Evaluated own(node);
        ok = check(schema, node, at, &own);
        if (ok || collecting())
            ok = check_unevaluated(schema, node, at, own) && ok;
        if (gathered)
            gathered->add(own);
    } else {
        ok = check(schema, node, at, gathered);
    }
    if (enters)
        scope_.pop_back();
    --depth_;
    return ok;
}

bool Evaluator::check(const SubSchema& schema,
                      const Node& node,
                      const Step& at,
                      Evaluated* gathered) {
    View view = view_value(node, schema, options_.typing);
    // A value of the wrong type or not among those allowed is one mistake, whatever else it breaks.
    if (!check_type(schema, node, view, at) || !check_values(schema, node, at))
        return false;
    bool ok = true;
    auto also = [&](bool result) {
        ok = ok && result;
        return ok || collecting();
    };
    if (view.number && !also(check_number(schema, node, view, at)))
        return false;
    if (view.kind == Kind::string && !also(check_text(schema, node, at)))
        return false;
    if (node.is_list() && !also(check_list(schema, node, at, gathered)))
        return false;
    if (node.is_map() && !also(check_map(schema, node, at, gathered)))
        return false;
    also(check_in_place(schema, node, at, gathered));
    return ok;
}

bool Evaluator::check_type(const SubSchema& schema,
                           const Node& node,
                           const View& view,
                           const Step& at) {
    bool fits = type_accepts(schema, view);
    bool reads_as_number = view.number && options_.typing == Typing::recipe && schema.types != 0;
    bool ambiguous = reads_as_number && node.leading_zero;
    // A setting becomes a 64-bit integer.
    bool too_wide = reads_as_number && fits && (schema.types & type_bit(Kind::number)) == 0 &&
                    !view.number->to_int64();
    if (fits && !ambiguous && !too_wide)
        return true;
    if (collecting()) {
        TypeProblem problem = type_problem(schema, node, view, options_.typing, at_name(at));
        report(problem.code, node.where, node, at, std::move(problem.message)).hint =
            std::move(problem.hint);
    }
    return false;
}

bool Evaluator::check_values(const SubSchema& schema, const Node& node, const Step& at) {
    for (const std::optional<ValueSet>* set : {&schema.values, &schema.constant}) {
        if (!*set || find_value(**set, node, schema, options_.typing))
            continue;
        if (collecting())
            report(code::kNotOneOf, node.where, node, at, values_text(**set, node, at_name(at)))
                .hint = values_hint(**set, node);
        return false;
    }
    return true;
}

bool Evaluator::check_number(const SubSchema& schema,
                             const Node& node,
                             const View& view,
                             const Step& at) {
    const Decimal& value = *view.number;
    struct Bound {
        const std::optional<Decimal>& limit;
        bool kept;
        std::string_view words;
    };
    const Bound bounds[] = {
        {schema.minimum, !schema.minimum || value >= *schema.minimum, "at least"},
        {schema.maximum, !schema.maximum || value <= *schema.maximum, "at most"},
        {schema.above, !schema.above || value > *schema.above, "above"},
        {schema.below, !schema.below || value < *schema.below, "below"}};
    for (const Bound& bound : bounds) {
        if (bound.kept)
            continue;
        if (collecting())
            report(code::kOutOfBounds,
                   node.where,
                   node,
                   at,
                   bound_text(at_name(at), node, bound.words, *bound.limit, schema));
        return false;
    }
    if (schema.multiple_of && !value.multiple_of(*schema.multiple_of)) {
        if (collecting())
            report(code::kNotMultiple,
                   node.where,
                   node,
                   at,
                   bound_text(at_name(at), node, "a multiple of", *schema.multiple_of, schema));
        return false;
    }
    return true;
}

bool Evaluator::check_text(const SubSchema& schema, const Node& node, const Step& at) {
    if (schema.min_length || schema.max_length) {
        std::size_t length = code_points(node.text);
        if (std::string words =
                size_text(length, schema.min_length, schema.max_length, "character");
            !words.empty()) {
            if (collecting())
                report(code::kWrongLength,
                       node.where,
                       node,
                       at,
                       fmt::format("{} {}", quoted_name(at_name(at)), words));
            return false;
        }
    }
    if (!schema.pattern)
        return true;
    Pattern::Match match = schema.pattern->find_in(node.text);
    if (match == Pattern::Match::yes)
        return true;
    if (collecting())
        report(match == Pattern::Match::too_costly ? code::kSchemaCost : code::kPatternMismatch,
               node.where,
               node,
               at,
               pattern_text(at_name(at), node, schema, match))
            .hint = pattern_hint(schema);
    return false;
}

bool Evaluator::check_list(const SubSchema& schema,
                           const Node& node,
                           const Step& at,
                           Evaluated* gathered) {
    std::vector<bool>* seen = gathered ? &gathered->items : nullptr;
    bool ok = true;
    std::string words = size_text(node.items.size(), schema.min_items, schema.max_items, "item");
    if (!words.empty()) {
        if (!collecting())
            return false;
        report(code::kWrongLength,
               node.where,
               node,
               at,
               fmt::format("{} {}", quoted_name(at_name(at)), words));
        ok = false;
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        const SubSchema* item =
            i < schema.prefix_items.size() ? schema.prefix_items[i] : schema.items;
        if (!item)
            continue;
        mark(seen, i);
        ok = apply(*item, *node.items[i], Step{&at, nullptr, i}, nullptr) && ok;
        if (!ok && !collecting())
            return false;
    }
    if (schema.contains)
        ok = check_contains(schema, node, at, gathered) && ok;
    if (schema.unique_items && (ok || collecting()))
        ok = check_unique(node, at) && ok;
    return ok;
}

bool Evaluator::check_contains(const SubSchema& schema,
                               const Node& node,
                               const Step& at,
                               Evaluated* gathered) {
    std::size_t found = 0;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        if (!tries(*schema.contains, *node.items[i], Step{&at, nullptr, i}, nullptr))
            continue;
        ++found;
        if (gathered)
            gathered->items[i] = true;
    }
    std::size_t least = schema.min_contains.value_or(1);
    bool ok = found >= least && (!schema.max_contains || found <= *schema.max_contains);
    if (!ok && collecting())
        report(code::kContains,
               node.where,
               node,
               at,
               contains_text(at_name(at), found, least, schema));
    return ok;
}

bool Evaluator::check_unique(const Node& node, const Step& at) {
    std::unordered_map<std::string, std::size_t> seen;
    bool ok = true;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        auto [first, added] = seen.try_emplace(value_key(*node.items[i]), i);
        if (added)
            continue;
        if (!collecting())
            return false;
        ok = false;
        report(code::kNotUnique,
               node.items[i]->where,
               *node.items[i],
               Step{&at, nullptr, i},
               fmt::format("item {} of {} equals item {}: items must differ",
                           i,
                           quoted_name(at_name(at)),
                           first->second));
    }
    return ok;
}

bool Evaluator::check_map(const SubSchema& schema,
                          const Node& node,
                          const Step& at,
                          Evaluated* gathered) {
    bool ok = check_keys(schema, node, at);
    if (!ok && !collecting())
        return false;
    return check_entries(schema, node, at, gathered) && ok;
}

bool Evaluator::check_keys(const SubSchema& schema, const Node& node, const Step& at) {
    bool ok = true;
    for (const std::string& name : schema.required) {
        if (written(node, name))
            continue;
        if (!collecting())
            return false;
        ok = false;
        if (!misspelt(schema, node, name))
            report(code::kMissingKey,
                   key_of(at, node),
                   node,
                   at,
                   fmt::format("missing key '{}'{}", escape_controls(name), map_name(at)))
                .hint = missing_hint(schema, name);
    }
    for (const auto& [key, names] : schema.dependent_required) {
        const Entry* entry = written(node, key);
        for (const std::string& name : names) {
            if (!entry || written(node, name))
                continue;
            if (!collecting())
                return false;
            ok = false;
            report(code::kDependentKey,
                   entry->where,
                   node,
                   at,
                   fmt::format("key '{}' needs the key '{}' beside it{}",
                               escape_controls(key),
                               escape_controls(name),
                               map_name(at)));
        }
    }
    auto size = static_cast<std::size_t>(std::count_if(
        node.entries.begin(), node.entries.end(), [&](const Entry& e) { return is_written(e); }));
    std::string words = size_text(size, schema.min_properties, schema.max_properties, "key");
    if (!words.empty()) {
        ok = false;
        if (collecting())
            report(code::kWrongLength,
                   key_of(at, node),
                   node,
                   at,
                   fmt::format("{} {}", quoted_name(at_name(at)), words));
    }
    return ok;
}

bool Evaluator::check_entries(const SubSchema& schema,
                              const Node& node,
                              const Step& at,
                              Evaluated* gathered) {
    std::vector<bool>* seen = gathered ? &gathered->properties : nullptr;
    bool ok = true;
    for (std::size_t i = 0; i < node.entries.size(); ++i) {
        const Entry& entry = node.entries[i];
        Step step{&at, &entry, 0};
        if (!is_written(entry)) {
            mark(seen, i);
            continue;
        }
        bool known = false;
        if (schema.property_names) {
            std::shared_ptr<Node> name = make_string(entry.key, entry.where);
            if (!tries(*schema.property_names, *name, step, nullptr)) {
                ok = false;
                if (collecting())
                    report(code::kKeyName,
                           entry.where,
                           *entry.value,
                           step,
                           key_name_text(*schema.property_names, entry.key))
                        .hint = key_name_hint(*schema.property_names, entry.key);
            }
        }
        if (const SubSchema* property = schema.property(entry.key)) {
            known = true;
            ok = apply(*property, *entry.value, step, nullptr) && ok;
        }
        for (const auto& [pattern, property] : schema.pattern_properties) {
            if (pattern.find_in(entry.key) != Pattern::Match::yes)
                continue;
            known = true;
            ok = apply(*property, *entry.value, step, nullptr) && ok;
        }
        if (known) {
            mark(seen, i);
        } else if (schema.additional_properties) {
            mark(seen, i);
            bool closed = schema.additional_properties->always == false;
            if (closed && collecting())
                unknown_key(schema, entry, node, at);
            ok = (!closed && apply(*schema.additional_properties, *entry.value, step, nullptr)) &&
                 ok;
        }
        if (!ok && !collecting())
            return false;
    }
    return ok;
}

const SubSchema& Evaluator::outermost(const SubSchema& schema) const {
    if (!schema.dynamic_anchor.empty())
        for (const SchemaResource* resource : scope_) {
            auto found = resource->dynamic_anchors.find(schema.dynamic_anchor);
            if (found != resource->dynamic_anchors.end())
                return *found->second;
        }
    return *schema.dynamic_ref;
}

bool Evaluator::check_in_place(const SubSchema& schema,
                               const Node& node,
                               const Step& at,
                               Evaluated* gathered) {
    bool ok = true;
    auto also = [&](bool result) {
        ok = ok && result;
        return ok || collecting();
    };
    if (schema.ref && !also(apply(*schema.ref, node, at, gathered)))
        return false;
    if (schema.dynamic_ref && !also(apply(outermost(schema), node, at, gathered)))
        return false;
    for (const SubSchema* each : schema.all_of)
        if (!also(apply(*each, node, at, gathered)))
            return false;
    for (const auto& [key, each] : schema.dependent_schemas)
        if (written(node, key) && !also(apply(*each, node, at, gathered)))
            return false;
    if (schema.condition) {
        const SubSchema* next =
            tries(*schema.condition, node, at, gathered) ? schema.consequence : schema.alternative;
        if (next && !also(apply(*next, node, at, gathered)))
            return false;
    }
    if (!schema.any_of.empty() && !also(check_any_of(schema, node, at, gathered)))
        return false;
    if (!schema.one_of.empty() && !also(check_one_of(schema, node, at, gathered)))
        return false;
    if (schema.negated && tries(*schema.negated, node, at, nullptr)) {
        ok = false;
        if (collecting())
            report(code::kForbidden,
                   node.where,
                   node,
                   at,
                   negated_text(at_name(at), node, *schema.negated));
    }
    return ok;
}

bool Evaluator::check_any_of(const SubSchema& schema,
                             const Node& node,
                             const Step& at,
                             Evaluated* gathered) {
    bool ok = false;
    for (const SubSchema* each : schema.any_of) {
        ok = tries(*each, node, at, gathered) || ok;
        if (ok && !gathered)
            return true;
    }
    if (!ok && collecting())
        BranchChooser(*this, schema.any_of, node, at).report(gathered);
    return ok;
}

bool Evaluator::check_one_of(const SubSchema& schema,
                             const Node& node,
                             const Step& at,
                             Evaluated* gathered) {
    std::size_t fitting = 0;
    for (const SubSchema* each : schema.one_of)
        fitting += tries(*each, node, at, gathered) ? 1 : 0;
    if (fitting == 1)
        return true;
    // A tag that is still open fits several branches, and will choose one later.
    bool open_tags = std::any_of(node.entries.begin(), node.entries.end(), [&](const Entry& entry) {
        return is_open(*entry.value);
    });
    if (fitting > 1 && open_tags)
        return true;
    if (collecting() && fitting == 0)
        BranchChooser(*this, schema.one_of, node, at).report(gathered);
    if (collecting() && fitting > 1)
        BranchChooser(*this, schema.one_of, node, at).report_several(fitting);
    return false;
}

bool Evaluator::check_unevaluated(const SubSchema& schema,
                                  const Node& node,
                                  const Step& at,
                                  Evaluated& gathered) {
    bool ok = true;
    if (schema.unevaluated_properties && node.is_map()) {
        bool closed = schema.unevaluated_properties->always == false;
        for (std::size_t i = 0; i < node.entries.size(); ++i) {
            if (gathered.properties[i])
                continue;
            gathered.properties[i] = true;
            const Entry& entry = node.entries[i];
            if (closed && collecting())
                unknown_key(schema, entry, node, at);
            Step step{&at, &entry, 0};
            ok = (!closed && apply(*schema.unevaluated_properties, *entry.value, step, nullptr)) &&
                 ok;
            if (!ok && !collecting())
                return false;
        }
    }
    if (schema.unevaluated_items && node.is_list()) {
        for (std::size_t i = 0; i < node.items.size(); ++i) {
            if (gathered.items[i])
                continue;
            gathered.items[i] = true;
            Step step{&at, nullptr, i};
            ok = apply(*schema.unevaluated_items, *node.items[i], step, nullptr) && ok;
            if (!ok && !collecting())
                return false;
        }
    }
    return ok;
}

}  // namespace stillroom
