#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/recipe/checker.h"
#include "engine/recipe/frame.h"
#include "engine/recipe/interpolation.h"
#include "engine/recipe/merge.h"
#include "engine/recipe/remote.h"
#include "engine/recipe/remote_policy.h"

#include <fmt/format.h>

#include <set>

namespace stillroom {
namespace {

bool is_interpolated(const Node& node) {
    return node.kind == Kind::string && may_interpolate(node.text);
}

}  // namespace

Checker::Checker(Sources& sources,
                 const Catalog& catalog,
                 const CheckOptions& options,
                 Diagnostics& diagnostics)
    : sources_(sources),
      catalog_(catalog),
      options_(options),
      diagnostics_(diagnostics),
      search_(make_search_path(options.request.recipe, options.request.config_dirs)) {
    resolving_.environment = options.environment;
    resolving_.allowed_names = options.allowed_environment;
    resolving_.is_remote = remote_places(sources);
}

ScopeResult Checker::check_recipe(const Recipe& recipe) {
    stack_.emplace_back(recipe.file, Span{});
    return check_scope(recipe, "", nullptr);
}

ScopeResult Checker::check_scope(const Recipe& recipe,
                                 const std::string& prefix,
                                 const Offers* given) {
    ScopeResult result;
    NodePtr root = recipe.root;
    NodePtr stages = root->get("stages");
    std::vector<Draft> drafts;
    if (stages && stages->is_map()) {
        if (is_over_budget(stages->entries.size()))
            return {root, {}, {}};
        for (const Entry& entry : stages->entries)
            drafts.push_back(begin_draft(entry));
        root = fill_defaults(root, drafts);
    } else if (stages && is_interpolated(*stages)) {
        refuse_unwritten(*stages, "'stages'");
    }
    root = resolve_values(recipe, root);
    check_frame(recipe, root, catalog_, diagnostics_);
    check_params(*root, catalog_, diagnostics_);
    result.root = root;
    stages = root->get("stages");
    Offers offers = offer_inputs(*root, prefix, given, result.stages);
    if (!stages || !stages->is_map())
        return result;
    take_values(drafts, *stages);
    for (std::size_t position : visiting_order(drafts, offers))
        check_draft(drafts[position], prefix, offers, result);
    if (has_remote_part(recipe))
        refuse_remote_paths(recipe, result.stages, sources_, diagnostics_);
    result.outputs = link_outputs(*root, offers);
    return result;
}

bool Checker::is_over_budget(std::size_t more) {
    bool told = stages_ > options_.request.limits.nodes;
    stages_ += more;
    if (told || stages_ <= options_.request.limits.nodes)
        return told;
    diagnostics_
        .error(code::kSubRecipeBudget,
               stack_.back().second,
               fmt::format("with its sub-recipes this recipe has more than {} stages",
                           options_.request.limits.nodes))
        .with_hint("raise `--limit nodes=N`");
    return true;
}

void Checker::refuse_unwritten(const Node& value, const std::string& what) {
    diagnostics_
        .error(code::kUseForm,
               value.where,
               fmt::format("{} must be written out, here is {}", what, describe_value(value)))
        .with_hint("a reference stands for one setting of a stage, never for the whole stage");
}

Draft Checker::begin_draft(const Entry& entry) {
    Draft draft;
    draft.name = entry.key;
    draft.where = entry.where;
    draft.first = entry.first;
    NodePtr use = entry.value->is_map() ? entry.value->get("use") : nullptr;
    draft.broken = true;
    if (is_interpolated(*entry.value))
        refuse_unwritten(*entry.value, fmt::format("stage '{}'", entry.key));
    if (!use || use->kind != Kind::string || use->is_missing())
        return draft;  // the frame's check tells
    draft.use = use;
    if (is_interpolated(*use)) {
        diagnostics_
            .error(code::kUseForm,
                   use->where,
                   fmt::format("`use` of stage '{}' must be literal", entry.key))
            .with_hint("write the stage type out; choose between stages with `when`");
        return draft;
    }
    draft.type = catalog_.find(use->text, diagnostics_);
    if (!draft.type && !open_sub_recipe(draft))
        return draft;
    draft.broken = false;
    return draft;
}

NodePtr Checker::resolve_values(const Recipe& recipe, const NodePtr& root) {
    Diagnostics found;
    NodePtr resolved = resolve(root, resolving_, found);
    for (const Diagnostic& mistake : found.all()) {
        // What a wrong choice or override did not bring is no second mistake.
        if (recipe.lacks_files && mistake.code == code::kUnknownReference)
            continue;
        if (recipe.lacks_values && mistake.code == code::kMissingValue)
            continue;
        diagnostics_.add(mistake);
    }
    return resolved;
}

NodePtr Checker::fill_defaults(const NodePtr& root, std::vector<Draft>& drafts) {
    NodePtr stages = root->get("stages");
    std::shared_ptr<Node> filled = copy(*stages);
    for (std::size_t i = 0; i < drafts.size(); ++i)
        if (drafts[i].type)
            filled->entries[i].value =
                fill_stage(filled->entries[i].value, *drafts[i].type, catalog_);
    return with_entry(*root, "stages", filled, {});
}

void Checker::take_values(std::vector<Draft>& drafts, const Node& stages) {
    for (std::size_t i = 0; i < drafts.size(); ++i)
        if (stages.entries[i].value->is_map())
            drafts[i].parts = split_stage(*stages.entries[i].value, drafts[i].type, catalog_);
}

bool Checker::is_reference_key(const Draft& draft, const std::string& key) {
    return draft.sub && draft.sub->inputs->find(key);
}

std::vector<std::size_t> Checker::visiting_order(std::vector<Draft>& drafts, Offers& offers) {
    std::vector<StageReferences> needs;
    for (Draft& draft : drafts) {
        if (offers.count(draft.name) != 0) {
            diagnostics_
                .error(
                    code::kNameTaken,
                    draft.where,
                    fmt::format("'{}' is an input already, no stage may be called so", draft.name))
                .note(offers.at(draft.name).where, "the input stands here");
            draft.broken = true;
        }
        StageReferences need{draft.name, draft.where, {}};
        if (draft.parts.ports)
            add_references(*draft.parts.ports, need);
        if (draft.parts.settings)
            for (const Entry& entry : draft.parts.settings->entries)
                if (is_reference_key(draft, entry.key))
                    add_reference(entry.value, need);
        NodePtr after = draft.parts.engine ? draft.parts.engine->get("after") : nullptr;
        if (after)
            add_reference(after, need);
        needs.push_back(need);
    }
    std::set<std::size_t> in_cycle;
    std::vector<std::size_t> order = sort_by_needs(needs, in_cycle, diagnostics_);
    for (std::size_t position : in_cycle)
        drafts[position].broken = drafts[position].in_cycle = true;
    return order;
}

void Checker::add_references(const Node& ports, StageReferences& needs) {
    for (const Entry& entry : ports.entries)
        add_reference(entry.value, needs);
}

void Checker::add_reference(const NodePtr& value, StageReferences& needs) {
    if (value->is_list())
        for (const NodePtr& item : value->items)
            add_reference(item, needs);
    else if (value->is_scalar() && !is_outside(value->text))
        needs.names.push_back({std::string(named_stage(value->text)), value->where});
}

}  // namespace stillroom
