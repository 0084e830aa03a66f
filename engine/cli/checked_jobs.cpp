#include "engine/cli/checked_jobs.h"

#include "engine/cli/recipe_input.h"

#include <set>
#include <tuple>

namespace stillroom::cli {
namespace {

/// What was said already: code, place and message. Each job reads the files anew, so a place is
/// told by its name, not by where the text lies.
using Said = std::set<std::tuple<int, std::string, std::string>>;

void add_new(Command& command, const Diagnostics& some, Said& said) {
    for (const Diagnostic& one : some.all()) {
        std::string place = command.sources.position(one.where.begin).text();
        if (said.emplace(one.code, place, one.message).second)
            command.diagnostics.add(one);
    }
}

CheckedJobs check_all(Command& command, const Catalog& catalog, const Request& request) {
    Said said;
    Diagnostics composing;
    CheckedJobs all{{}, true};
    for (JobRecipe& job : compose_jobs(command.sources, request, composing))
        all.jobs.push_back(
            {std::move(job.id), std::move(job.overrides), std::move(job.recipe), {}, false});
    add_new(command, composing, said);
    for (CheckedJob& job : all.jobs) {
        Diagnostics checking;
        job.checked =
            check(command.sources, job.recipe, catalog, check_options(command, request), checking);
        job.ok = checking.ok();
        add_new(command, checking, said);
    }
    return all;
}

}  // namespace

std::optional<CheckedJob> checked_recipe(Command& command,
                                         const Catalog& catalog,
                                         const Word& word,
                                         std::size_t first_override) {
    std::optional<Request> request = recipe_request(command, word, first_override);
    if (!request)
        return std::nullopt;
    request->catalog = &catalog;
    std::optional<Recipe> recipe = compose(command.sources, *request, command.diagnostics);
    if (!recipe || !command.diagnostics.ok())
        return std::nullopt;
    CheckedJob job{"", {}, std::move(*recipe), {}, true};
    job.checked = check(command.sources,
                        job.recipe,
                        catalog,
                        check_options(command, *request),
                        command.diagnostics);
    if (!command.diagnostics.ok())
        return std::nullopt;
    return job;
}

CheckedJobs checked_jobs(Command& command,
                         const Catalog& catalog,
                         const Request& request,
                         bool multirun) {
    if (multirun)
        return check_all(command, catalog, request);
    Diagnostics composing;
    std::optional<Recipe> recipe = compose(command.sources, request, composing);
    if (recipe && recipe->root && recipe->root->find("sweep"))
        return check_all(command, catalog, request);
    for (const Diagnostic& diagnostic : composing.all())
        command.diagnostics.add(diagnostic);
    if (!recipe)
        return {};
    CheckedJobs one;
    one.jobs.push_back({"", {}, std::move(*recipe), {}, false});
    CheckedJob& job = one.jobs.front();
    job.checked = check(
        command.sources, job.recipe, catalog, check_options(command, request), command.diagnostics);
    job.ok = command.diagnostics.ok();
    return one;
}

}  // namespace stillroom::cli
