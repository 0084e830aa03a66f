#include "engine/recipe/jobs.h"

#include "engine/recipe/sweep.h"

#include <algorithm>

namespace stillroom {
namespace {

/// The `sweep` block as the plain arguments leave it. It may come from any file of the recipe; what
/// is wrong with the recipe is told when its jobs are composed.
NodePtr find_block(Sources& sources,
                   const Request& request,
                   const std::vector<Override>& overrides) {
    std::vector<Override> plain;
    std::copy_if(overrides.begin(),
                 overrides.end(),
                 std::back_inserter(plain),
                 [](const Override& override) { return !override.swept(); });
    Request open = request;
    open.choices_may_be_open = true;
    Diagnostics ignored;
    std::optional<Recipe> base = compose(sources, open, plain, ignored);
    return base ? base->root->get("sweep") : nullptr;
}

}  // namespace

std::vector<JobRecipe> compose_jobs(Sources& sources,
                                    const Request& request,
                                    Diagnostics& diagnostics) {
    SweepRequest sweep;
    sweep.overrides = read_overrides(sources, request, diagnostics);
    if (!diagnostics.ok())
        return {};
    SearchPath search = make_search_path(request.recipe, request.config_dirs);
    sweep.multirun = true;
    sweep.block = find_block(sources, request, sweep.overrides);
    sweep.options = [&](const std::string& group) -> std::optional<std::vector<std::string>> {
        if (!search.is_group(group))
            return std::nullopt;
        return search.options(group);
    };
    std::vector<JobRecipe> jobs;
    for (SweepJob& job : expand_jobs(sweep, diagnostics)) {
        std::optional<Recipe> recipe = compose(sources, request, job.overrides, diagnostics);
        if (recipe)
            jobs.push_back({job.id, job.texts, std::move(*recipe)});
    }
    return jobs;
}

}  // namespace stillroom
