#include "engine/schema/branches.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/schema/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace stillroom {
namespace {

constexpr int kMostReferences = 16;  // followed to find what a branch says

/// What a branch says at a reference's end, so that `$ref` branches have tags and types too.
const SubSchema& meant(const SubSchema& schema) {
    const SubSchema* at = &schema;
    for (int i = 0; i < kMostReferences && at->ref && at->types == 0 && at->properties.empty(); ++i)
        at = at->ref;
    return *at;
}

/// The fixed values of a property in a branch, or null.
const ValueSet* tag_values(const SubSchema& branch, const std::string& name) {
    const SubSchema* property = meant(branch).property(name);
    if (!property)
        return nullptr;
    const SubSchema& end = meant(*property);
    if (end.constant)
        return &*end.constant;
    return end.values ? &*end.values : nullptr;
}

}  // namespace

bool BranchChooser::accepts_type(const SubSchema& branch) const {
    const SubSchema& end = meant(branch);
    if (end.always)
        return *end.always;
    if (end.values || end.constant)
        return false;  // a fixed value is no type
    return type_accepts(end, view_value(node_, end, evaluator_.options_.typing));
}

/// Properties that are fixed in at least two branches, those of most branches first.
std::vector<std::string> BranchChooser::tag_names() const {
    std::map<std::string, int> counts;
    for (const SubSchema* branch : branches_)
        for (const auto& [name, property] : meant(*branch).properties)
            if (tag_values(*branch, name))
                ++counts[name];
    std::vector<std::string> names;
    for (const auto& [name, count] : counts)
        if (count > 1)
            names.push_back(name);
    std::stable_sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
        return counts[a] > counts[b];
    });
    return names;
}

bool BranchChooser::by_tag(Evaluated* gathered) {
    for (const std::string& name : tag_names()) {
        const Entry* entry = node_.find(name);
        Step step{&at_, entry, 0};
        std::vector<const SubSchema*> chosen;
        ValueSet known;
        for (const SubSchema* branch : branches_) {
            const ValueSet* values = tag_values(*branch, name);
            if (!values)
                continue;
            if (entry && evaluator_.takes(*meant(*branch).property(name), *entry->value, step))
                chosen.push_back(branch);
            known.values.insert(known.values.end(), values->values.begin(), values->values.end());
            known.keys.insert(values->keys.begin(), values->keys.end());
        }
        if (chosen.size() == 1) {
            evaluator_.apply(*chosen.front(), node_, at_, gathered);
            return true;
        }
        if (!chosen.empty())
            continue;
        if (entry) {
            evaluator_
                .report(code::kNotOneOf,
                        entry->value->where,
                        *entry->value,
                        step,
                        values_text(known, *entry->value, name))
                .hint = values_hint(known, *entry->value);
            return true;
        }
        bool required = std::all_of(branches_.begin(), branches_.end(), [&](const SubSchema* each) {
            const std::vector<std::string>& names = meant(*each).required;
            return std::find(names.begin(), names.end(), name) != names.end();
        });
        if (!required)
            continue;
        evaluator_
            .report(code::kMissingKey,
                    evaluator_.key_of(at_, node_),
                    node_,
                    at_,
                    fmt::format("missing key '{}'{}", name, evaluator_.map_name(at_)))
            .hint = fmt::format("{} is one of {}", name, value_list(known));
        return true;
    }
    return false;
}

bool BranchChooser::by_type(Evaluated* gathered) {
    std::vector<const SubSchema*> chosen;
    for (const SubSchema* branch : branches_)
        if (accepts_type(*branch))
            chosen.push_back(branch);
    if (chosen.size() != 1)
        return false;
    evaluator_.apply(*chosen.front(), node_, at_, gathered);
    return true;
}

/// "an integer, or one of auto, none"; empty where some branch cannot be said shortly.
std::string BranchChooser::expected() const {
    std::vector<std::string> words;
    ValueSet fixed;
    for (const SubSchema* branch : branches_) {
        const SubSchema& end = meant(*branch);
        const ValueSet* values = end.constant ? &*end.constant
                                 : end.values ? &*end.values
                                              : nullptr;
        if (values)
            fixed.values.insert(fixed.values.end(), values->values.begin(), values->values.end());
        else if (end.types != 0)
            words.push_back(type_words(end.types, end.format));
        else
            return "";
    }
    if (!fixed.values.empty())
        words.push_back((fixed.values.size() > 1 ? "one of " : "") + value_list(fixed));
    std::vector<std::string> once;
    for (std::string& word : words)
        if (std::find(once.begin(), once.end(), word) == once.end())
            once.push_back(std::move(word));
    return join(once, "or");
}

std::vector<std::string> BranchChooser::sole_keys() const {
    std::vector<std::string> keys;
    for (const SubSchema* branch : branches_) {
        bool asks_for_one = branch->required.size() == 1 && branch->node->entries.size() == 1;
        if (!asks_for_one)
            return {};
        keys.push_back(branch->required.front());
    }
    return keys;
}

void BranchChooser::report_several(std::size_t fitting) {
    std::vector<std::string> present;
    Span last;
    for (const std::string& key : sole_keys()) {
        const Entry* entry = evaluator_.written(node_, key);
        if (!entry)
            continue;
        present.push_back(fmt::format("'{}'", key));
        last = std::max(last, entry->where);
    }
    if (present.size() < 2) {
        evaluator_.report(code::kNoBranch,
                          node_.where,
                          node_,
                          at_,
                          fmt::format("{} fits {} of the {} forms that exclude one another",
                                      quoted_name(at_name(at_)),
                                      fitting,
                                      branches_.size()));
        return;
    }
    std::string names = join(present);
    evaluator_
        .report(code::kNoBranch,
                last,
                node_,
                at_,
                fmt::format("{} exclude one another{}", names, evaluator_.map_name(at_)))
        .hint = "keep one of them";
}

void BranchChooser::report(Evaluated* gathered) {
    if (std::vector<std::string> keys = sole_keys(); node_.is_map() && keys.size() > 1) {
        for (std::string& key : keys)
            key = fmt::format("'{}'", key);
        evaluator_.report(
            code::kNoBranch,
            evaluator_.key_of(at_, node_),
            node_,
            at_,
            fmt::format("missing key: one of {}{}", join(keys, "or"), evaluator_.map_name(at_)));
        return;
    }
    std::size_t before = evaluator_.mistakes_->size();
    if (branches_.size() == 1)
        evaluator_.apply(*branches_.front(), node_, at_, gathered);
    else if (!(node_.is_map() && by_tag(gathered)))
        by_type(gathered);
    if (evaluator_.mistakes_->size() != before)
        return;
    std::string name = quoted_name(at_name(at_));
    std::string wanted = expected();
    bool right_type = std::any_of(branches_.begin(), branches_.end(), [&](const SubSchema* branch) {
        return accepts_type(*branch);
    });
    std::string message =
        wanted.empty() || (right_type && !node_.is_scalar())
            ? fmt::format("{} fits none of the {} forms it may have", name, branches_.size())
            : fmt::format("{} must be {}, not {}", name, wanted, describe_value(node_));
    ValueSet fixed;
    for (const SubSchema* branch : branches_)
        for (const std::optional<ValueSet>* set :
             {&meant(*branch).values, &meant(*branch).constant})
            if (*set)
                fixed.values.insert(
                    fixed.values.end(), (*set)->values.begin(), (*set)->values.end());
    evaluator_.report(code::kNoBranch, node_.where, node_, at_, std::move(message)).hint =
        values_hint(fixed, node_);
}

}  // namespace stillroom
