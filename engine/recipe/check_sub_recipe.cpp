#include "engine/base/codes.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/recipe/checker.h"
#include "engine/recipe/loaders.h"
#include "engine/recipe/remote.h"
#include "engine/recipe/trust.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostScopes = 64;  // recipes inside one another

}  // namespace

std::optional<fs::path> Checker::sub_recipe_file(const Draft& draft) {
    const Node& use = *draft.use;
    RemoteRecipes* remotes = options_.request.remotes.get();
    if (is_address(use.text)) {
        if (remotes)
            return remotes->find(use.text, use.where, diagnostics_);
        refuse_fetching(use.text, use.where, diagnostics_);
        return std::nullopt;
    }
    if (use.text.ends_with(".so")) {
        const Source* source = sources_.find(use.where.begin);
        diagnostics_
            .error(code::kUntrusted,
                   use.where,
                   fmt::format("plugin {} is not trusted because a recipe names it",
                               fingerprint((source ? source->folder() : fs::path()) / use.text)))
            .with_hint(
                "plugins come from the installed folder, STILLROOM_PLUGIN_PATH or --trust PATH")
            .exits(kExitPolicy);
        return std::nullopt;
    }
    std::optional<RecipeFile> file = find_recipe(use, sources_, search_);
    if (!file) {
        refuse_type(draft);
        return std::nullopt;
    }
    // Beside a remote recipe lies nothing: what it names by a path is not of its own.
    bool foreign = use.text.find('/') != std::string::npos && resolving_.is_remote(use.where);
    if (file->outside || foreign) {
        diagnostics_
            .error(
                code::kOutside, use.where, fmt::format("'{}' leaves the recipe's folder", use.text))
            .with_hint(foreign ? "a remote recipe names another by its address and digest"
                               : "files of a recipe lie in its folder or on the search path; see "
                                 "--config-dir")
            .exits(kExitPolicy);
        return std::nullopt;
    }
    if (file->absent) {
        std::vector<std::string> beside;
        for (const std::string& name : list_folder(file->path.parent_path()))
            beside.push_back(name);
        diagnostics_
            .error(code::kNoSuchFile,
                   use.where,
                   fmt::format("there is no recipe '{}'", file->path.string()))
            .with_hint(did_you_mean(file->path.filename().string(), beside));
        return std::nullopt;
    }
    return file->path;
}

bool Checker::open_sub_recipe(Draft& draft) {
    std::optional<fs::path> file = sub_recipe_file(draft);
    if (!file)
        return false;
    std::shared_ptr<SubRecipe>& sub = sub_recipes_[*file];
    if (!sub) {
        Request request = options_.request;
        request.recipe = *file;
        request.named_at = draft.use->where;
        request.arguments.clear();
        request.launch_where = {};  // how a recipe is launched is asked once
        std::optional<Recipe> recipe = compose(sources_, request, diagnostics_);
        if (!recipe)
            return false;
        auto map_at = [&](const char* key) {
            NodePtr map = recipe->root->get(key);
            return map && map->is_map() ? map : NodePtr(make_map());
        };
        sub = std::make_shared<SubRecipe>(SubRecipe{*recipe, map_at("params"), map_at("inputs")});
    }
    draft.sub = sub;
    return true;
}

void Checker::refuse_type(const Draft& draft) {
    std::vector<std::string> names = catalog_.names();
    if (std::find(names.begin(), names.end(), draft.use->text) != names.end())
        return;  // its file has mistakes, which are reported
    for (const std::string& file : search_.files())
        names.push_back(file);
    std::string hint = did_you_mean(draft.use->text, names);
    diagnostics_
        .error(code::kUnknownType,
               draft.use->where,
               fmt::format("there is no stage type or recipe '{}'", draft.use->text))
        .with_hint(hint.empty() ? "`stillroom stages` lists the types" : hint);
}

void Checker::check_sub(Draft& draft,
                        const std::string& prefix,
                        const Offers& offers,
                        Offer& offer,
                        ScopeResult& result) {
    const SubRecipe& sub = *draft.sub;
    for (std::size_t i = 0; i < stack_.size(); ++i)
        if (stack_[i].first == sub.recipe.file)
            return refuse_recursion(draft, i);
    if (stack_.size() > kMostScopes) {
        diagnostics_.error(code::kSubRecipeBudget,
                           draft.use->where,
                           fmt::format("recipes may be nested {} deep", kMostScopes));
        return;
    }
    std::shared_ptr<Node> settings = make_map(draft.parts.settings->where);
    Offers inputs;
    for (const Entry& entry : draft.parts.settings->entries) {
        const Entry* declared = sub.inputs->find(entry.key);
        if (!declared) {
            settings->entries.push_back(entry);
            continue;
        }
        Want want{draft.name, entry.key, input_type(*declared->value), {}, entry.where};
        if (const PortType* type = catalog_.port_type(want.type))
            want.accepts = type->accepts;
        Offer input;
        input.where = declared->where;
        input.is_input = true;
        std::optional<Feed> feed;
        if (entry.value->kind == Kind::string && is_outside(entry.value->text))
            feed =
                load_input(prefix + draft.name + "." + entry.key, want, entry.value, result.stages);
        else
            feed = link(*entry.value, want, offers, diagnostics_);
        if (feed)
            input.outputs.push_back({entry.key, want.type, *feed});
        else
            input.broken = true;
        inputs.emplace(entry.key, input);
    }
    refuse_absent_inputs(draft, inputs);
    std::size_t before = diagnostics_.errors();
    Recipe recipe = with_params(sub, *settings, draft.name, diagnostics_);
    if (diagnostics_.errors() == before)
        refuse_absent_params(draft, *recipe.root);
    // Its other mistakes are told all the same, what follows from these is not.
    recipe.lacks_values = recipe.lacks_values || diagnostics_.errors() != before;
    std::vector<std::string> after = link_after(draft, offers);
    // Inside, names begin with this stage's, and every stage waits for what this one waits for.
    std::vector<std::string> outer_after = outer_after_;
    std::string outer_scope = scope_;
    outer_after_.insert(outer_after_.end(), after.begin(), after.end());
    scope_ += draft.name + "/";
    stack_.emplace_back(sub.recipe.file, draft.use->where);
    ScopeResult inner = check_scope(recipe, scope_, &inputs);
    stack_.pop_back();
    scope_ = outer_scope;
    outer_after_ = outer_after;
    offer.outputs = inner.outputs;
    std::vector<std::string> made;
    for (CheckedStage& stage : inner.stages) {
        made.push_back(stage.name);
        result.stages.push_back(std::move(stage));
    }
    made_by_[scope_ + draft.name] = made;
}

void Checker::refuse_recursion(const Draft& draft, std::size_t start) {
    auto& mistake =
        diagnostics_.error(code::kRecipeCycle,
                           draft.use->where,
                           fmt::format("'{}' contains itself", stack_[start].first.string()));
    for (std::size_t i = start + 1; i < stack_.size(); ++i)
        mistake.note(stack_[i].second, fmt::format("uses '{}'", stack_[i].first.string()));
    if (start + 1 < stack_.size())
        mistake.note(draft.use->where,
                     fmt::format("uses '{}' again", stack_[start].first.string()));
}

std::string Checker::input_type(const Node& input) {
    if (!input.is_map())
        return input.text;
    NodePtr type = input.get("type");
    return type ? type->text : "";
}

void Checker::refuse_absent_inputs(const Draft& draft, const Offers& inputs) {
    for (const Entry& entry : draft.sub->inputs->entries) {
        bool has_default = entry.value->is_map() && entry.value->find("default");
        if (inputs.count(entry.key) != 0 || has_default)
            continue;
        const std::string names[] = {entry.key};
        const std::vector<Entry>& written = draft.parts.settings->entries;
        bool misspelt = std::any_of(written.begin(), written.end(), [&](const Entry& other) {
            bool known = draft.sub->inputs->find(other.key) || draft.sub->params->find(other.key);
            return !known && !nearest(other.key, names).empty();
        });
        if (misspelt)
            continue;  // the unknown key is reported
        diagnostics_
            .error(code::kInputMissing,
                   draft.where,
                   fmt::format("stage '{}' ({}) needs {} at input '{}'",
                               draft.name,
                               draft.sub->recipe.file.filename().string(),
                               one_of_type(input_type(*entry.value)),
                               entry.key))
            .note(entry.where, "the input stands here")
            .with_hint(
                fmt::format("write '{}:' and the name of a stage that makes one", entry.key));
    }
}

void Checker::refuse_absent_params(const Draft& draft, const Node& recipe) {
    NodePtr params = recipe.get("params");
    if (!params || !params->is_map())
        return;
    for (const Entry& entry : params->entries)
        if (entry.value->is_missing())
            diagnostics_
                .error(code::kMissingValue,
                       draft.where,
                       fmt::format("stage '{}' ({}) needs the param '{}'",
                                   draft.name,
                                   draft.sub->recipe.file.filename().string(),
                                   entry.key))
                .at_key("stages." + draft.name + "." + entry.key)
                .note(entry.value->where, "here it is ???")
                .with_hint(fmt::format("write '{}:' and a value in the stage", entry.key));
}

std::optional<Feed> Checker::load_input(const std::string& name,
                                        const Want& want,
                                        const NodePtr& source,
                                        std::vector<CheckedStage>& stages) {
    LoadRequest request{name + "~load", want.type, source, want.port, {}};
    std::optional<CheckedStage> loader = make_loader(request, catalog_, sources_, diagnostics_);
    if (!loader)
        return std::nullopt;
    Feed feed{loader->name, loaded_output(*loader, want.type), source->where};
    stages.push_back(std::move(*loader));
    return feed;
}

std::string Checker::loaded_output(const CheckedStage& loader, const std::string& type) const {
    std::string output = output_of_type(*loader.type, type);
    return output.empty() && !loader.type->outputs.empty() ? loader.type->outputs.front().name
                                                           : output;
}

Offers Checker::offer_inputs(const Node& root,
                             const std::string& prefix,
                             const Offers* given,
                             std::vector<CheckedStage>& stages) {
    Offers offers;
    NodePtr inputs = root.get("inputs");
    if (!inputs || !inputs->is_map())
        return offers;
    for (const Entry& entry : inputs->entries) {
        if (given && given->count(entry.key) != 0) {
            offers.emplace(entry.key, given->at(entry.key));
            continue;
        }
        Offer offer;
        offer.where = entry.where;
        offer.is_input = true;
        NodePtr source = entry.value->is_map() ? entry.value->get("default") : nullptr;
        std::string type = input_type(*entry.value);
        std::optional<Feed> feed;
        if (source)
            feed = load_input(
                prefix + entry.key, {"", entry.key, type, {}, entry.where}, source, stages);
        else if (!given && catalog_.port_type(type))
            refuse_input(entry, type);
        if (feed)
            offer.outputs.push_back({entry.key, type, *feed});
        else
            offer.broken = true;
        offers.emplace(entry.key, offer);
    }
    return offers;
}

void Checker::refuse_input(const Entry& entry, const std::string& type) {
    diagnostics_
        .error(code::kInputMissing,
               entry.where,
               fmt::format("the input '{}' has no source", entry.key))
        .at_key("inputs." + entry.key)
        .with_hint(fmt::format(
            "give the {}: inputs.{}=SOURCE, as hf:ORG/NAME or a path with a '/'", type, entry.key));
}

std::vector<Output> Checker::link_outputs(const Node& root, const Offers& offers) {
    std::vector<Output> made;
    NodePtr outputs = root.get("outputs");
    if (!outputs || !outputs->is_map())
        return made;
    for (const Entry& entry : outputs->entries) {
        std::optional<Feed> feed =
            link(*entry.value, {"", entry.key, "", {}, entry.where}, offers, diagnostics_);
        if (!feed)
            continue;
        for (const auto& [name, offer] : offers)
            for (const Output& output : offer.outputs)
                if (output.feed.stage == feed->stage && output.feed.output == feed->output) {
                    made.push_back({entry.key, output.type, *feed});
                    break;
                }
    }
    std::vector<Output> unique;
    for (Output& output : made)
        if (unique.empty() || unique.back().name != output.name)
            unique.push_back(std::move(output));
    return unique;
}

}  // namespace stillroom
