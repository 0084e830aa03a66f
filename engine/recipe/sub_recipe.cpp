#include "engine/recipe/sub_recipe.h"

#include "engine/base/codes.h"
#include "engine/base/files.h"
#include "engine/base/refusal.h"
#include "engine/base/text.h"
#include "engine/recipe/merge.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

bool is_allowed(const fs::path& file, const SearchPath& search) {
    std::error_code error;
    fs::path real = fs::weakly_canonical(fs::absolute(file), error);
    refuse_no_memory(error);
    if (error)
        return true;  // unreadable, which is told otherwise
    return std::any_of(
        search.folders().begin(), search.folders().end(), [&](const SearchFolder& folder) {
            fs::path root = fs::canonical(folder.path, error);
            refuse_no_memory(error);
            return is_inside(real, root);
        });
}

NodePtr set_param(const NodePtr& params, const Entry& given, Diagnostics& diagnostics) {
    const Entry* old = params->find(given.key);
    NodePtr value =
        merge(old ? old->value : nullptr, given.value, {"params", given.key}, {}, diagnostics);
    return with_entry(*params, given.key, value, given.where);
}

NodePtr merge_stages(const NodePtr& inner,
                     const Node& given,
                     const std::string& stage,
                     Diagnostics& diagnostics) {
    NodePtr out = inner;
    std::vector<std::string> names;
    for (const Entry& entry : inner->entries)
        names.push_back(entry.key);
    for (const Entry& entry : given.entries) {
        const Entry* old = inner->find(entry.key);
        if (!old) {
            diagnostics
                .error(code::kUnknownStage,
                       entry.where,
                       fmt::format("the recipe of stage '{}' has no stage '{}'", stage, entry.key))
                .with_hint(did_you_mean(entry.key, names));
            continue;
        }
        NodePtr merged = merge(old->value, entry.value, {"stages", entry.key}, {}, diagnostics);
        out = with_entry(*out, entry.key, merged, entry.where);
    }
    return out;
}

}  // namespace

std::optional<RecipeFile> find_recipe(const Node& use,
                                      const Sources& sources,
                                      const SearchPath& search) {
    const std::string& text = use.text;
    bool is_path =
        text.find('/') != std::string::npos || text.ends_with(".yaml") || text.ends_with(".yml");
    if (!is_path) {
        std::optional<FoundFile> found = search.find(text);
        if (!found)
            return std::nullopt;
        return RecipeFile{found->path, found->outside, false};
    }
    const Source* source = sources.find(use.begins ? use.begins : use.where.begin);
    fs::path folder = source ? source->folder() : fs::path(".");
    RecipeFile file;
    file.path = (folder / text).lexically_normal();
    std::error_code error;
    file.absent = !fs::exists(file.path, error);
    file.outside = !is_allowed(file.path, search);
    return file;
}

Recipe with_params(const SubRecipe& sub,
                   const Node& settings,
                   const std::string& stage,
                   Diagnostics& diagnostics) {
    Recipe recipe = sub.recipe;
    NodePtr params = sub.params;
    std::vector<std::string> names;
    for (const Entry& entry : sub.params->entries)
        names.push_back(entry.key);
    for (const Entry& entry : sub.inputs->entries)
        names.push_back(entry.key);
    for (const Entry& given : settings.entries) {
        if (given.key == "stages" && given.value->is_map()) {
            NodePtr inner = recipe.root->get("stages");
            if (inner && inner->is_map())
                recipe.root = with_entry(*recipe.root,
                                         "stages",
                                         merge_stages(inner, *given.value, stage, diagnostics),
                                         given.where);
            continue;
        }
        if (!sub.params->find(given.key)) {
            std::string hint = did_you_mean(given.key, names);
            if (hint.empty())
                hint = names.empty() ? "it has no params" : fmt::format("it takes {}", join(names));
            diagnostics
                .error(code::kUnknownParam,
                       given.where,
                       fmt::format("unknown key '{}' in stage '{}' ({})",
                                   given.key,
                                   stage,
                                   sub.recipe.file.filename().string()))
                .with_hint(hint);
            continue;
        }
        params = set_param(params, given, diagnostics);
    }
    if (params != sub.params)
        recipe.root = with_entry(*recipe.root, "params", params, {});
    return recipe;
}

}  // namespace stillroom
