#include "engine/base/build_id.h"
#include "engine/base/json.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/cli/build_info.h"
#include "engine/cli/checked_jobs.h"
#include "engine/cli/command.h"
#include "engine/cli/plan_verb.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_report.h"
#include "engine/cli/run_session.h"
#include "engine/cli/run_verbs.h"
#include "engine/cli/selection.h"
#include "engine/plan/plan.h"
#include "engine/recipe/jobs.h"
#include "engine/run/agents.h"
#include "engine/run/launch_config.h"
#include "engine/run/run_folder.h"
#include "engine/run/signals.h"

#include <fmt/format.h>

#include <functional>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> texts(const std::vector<Word>& words) {
    std::vector<std::string> all;
    for (const Word& word : words)
        all.push_back(word.text);
    return all;
}

/// What the command line says of the run, as the run folder keeps it.
RunRequest run_request(const Command& command, std::string verb, std::size_t first_override) {
    RunRequest request;
    request.verb = std::move(verb);
    request.subject = command.line.words.front().text;
    std::error_code ignored;
    request.directory = fs::current_path(ignored);
    request.arguments = texts(command.words_from(first_override));
    for (const fs::path& folder : command.config_folders())
        request.config_dirs.push_back(folder.string());
    Selection selection = selection_of(command);
    request.only = std::move(selection.only);
    request.from = std::move(selection.from);
    request.force = std::move(selection.force);
    request.multirun = command.line.has("--multirun");
    request.keep_going = command.line.has("--keep-going");
    request.fail_fast = command.line.has("--fail-fast");
    return request;
}

/// The recipe of `do`: one stage, named `stage`, that no file holds.
Request stage_request(Command& command, const std::string& type) {
    Request request;
    request.recipe = "do " + type;
    request.text = fmt::format("recipe: {}\nstages:\n  {}: {{use: {}}}\n", type, kOneStage, type);
    request.prefix = fmt::format("stages.{}", kOneStage);
    request.named_at = command.line.words.front().where;
    for (const Word& word : command.words_from(1))
        request.arguments.push_back({word.index, word.text});
    request.config_dirs = command.config_folders();
    request.limits = command.limits;
    return request;
}

/// The first failure, for the ranks that print nothing themselves.
std::string first_error(const Diagnostics& diagnostics) {
    for (const Diagnostic& diagnostic : diagnostics.all())
        if (diagnostic.severity == Severity::error)
            return diagnostic.message;
    return "";
}

/// What one of several ranks knows of the run before it meets the others.
struct RankStart {
    RankIdentity identity;
    AgentTimes times;
};

/// Reads the recipe without a word: the first rank says what is wrong with it.
RankStart rank_start(Command& command, const Request& request, bool multirun, const Ranks& ranks) {
    Sources sources;
    Diagnostics ignored;
    std::vector<JobRecipe> jobs;
    if (multirun)
        jobs = compose_jobs(sources, request, ignored);
    else if (std::optional<Recipe> recipe = compose(sources, request, ignored))
        jobs.push_back({"", {}, std::move(*recipe)});
    JsonWriter text;
    text.begin_array();
    for (const JobRecipe& job : jobs)
        job.recipe.root ? write_json(text, *job.recipe.root) : text.null();
    text.end_array();
    RankStart start;
    start.identity = {build_id(), sha256_hex(text.take())};
    if (jobs.empty() || !jobs.front().recipe.launch)
        return start;
    std::vector<TrustedPath> trusted =
        launch_folders(command.configuration(), trust_flags(command), ignored);
    Launch launch = read_launch(
        jobs.front().recipe.launch, launch_facts(ranks, std::move(trusted)), sources, ignored);
    start.times = agent_times(launch.timeout);
    return start;
}

/// Of the ranks that were started from outside the first one does `work`, and the others what it
/// tells them; a process that is alone is the first one.
void as_first_rank(Command& command,
                   const Request& request,
                   bool multirun,
                   const std::function<void(Agents&)>& work) {
    Ranks ranks = read_ranks({}, environment_variables(), false);
    RankStart start;
    if (ranks.from_outside())
        start = rank_start(command, request, multirun, ranks);
    if (is_agent(ranks)) {
        command.bare_value = true;  // the first rank prints
        command.exit_code = run_agent(ranks, run_root(), start.times, start.identity);
        return;
    }
    Agents agents(ranks, run_root(), start.times, start.identity);
    auto end = [&](int code, const std::string& message) {
        if (code != kExitOk)
            write_error_file(ranks, message);
        agents.end(code, message);
    };
    try {
        work(agents);
    } catch (const Error& error) {
        end(error.exit_code(), error.what());
        throw;
    }
    end(command.exit_code.value_or(command.diagnostics.exit_code()),
        first_error(command.diagnostics));
}

void begin_run(Command& command, Request request, const std::string& verb) {
    Catalog catalog(command.sources, schema_folders());
    request.catalog = &catalog;
    as_first_rank(command, request, command.line.has("--multirun"), [&](Agents& agents) {
        RunSession session(command, catalog, request, agents);
        session.run(run_request(command, verb, 1));
    });
}

}  // namespace

void run_run(Command& command) {
    if (command.line.has("--dry-run"))
        return run_plan(command);
    if (std::optional<Request> request = recipe_request(command, command.line.words.front(), 1))
        begin_run(command, std::move(*request), "run");
}

void run_do(Command& command) {
    Catalog catalog(command.sources, schema_folders());
    const Word& type = command.line.words.front();
    if (!catalog.find(type.text, command.diagnostics)) {
        if (command.diagnostics.ok()) {
            std::string hint = did_you_mean(type.text, catalog.names());
            command.diagnostics
                .error(0,
                       type.where,
                       fmt::format("there is no stage type '{}'", escape_controls(type.text)))
                .with_hint(hint.empty() ? "`stillroom stages` lists them" : hint);
        }
        return;
    }
    Request request = stage_request(command, type.text);
    if (command.line.has("--dry-run")) {
        request.catalog = &catalog;
        CheckedJobs jobs = checked_jobs(command, catalog, request, command.line.has("--multirun"));
        if (command.diagnostics.ok())
            show_plan(command, request.recipe.string(), jobs);
        return;
    }
    begin_run(command, std::move(request), "do");
}

namespace {

/// What the run of a folder was asked for. Goes to where that was.
Request request_again(Command& command, const RunRequest& asked, const fs::path& here) {
    const Word& name = command.line.words.front();
    std::error_code failure;
    // Paths of the recipe and the overrides belong to the folder in which the run was begun.
    fs::current_path(asked.directory, failure);
    if (failure)
        throw Error({},
                    fmt::format("cannot go to {}, where this run was begun: {}",
                                asked.directory.string(),
                                failure.message()))
            .exit_code(kExitUsage);
    Request request;
    if (asked.verb == "do") {
        request = stage_request(command, asked.subject);
    } else {
        fs::path recipe = asked.subject;
        if (!fs::exists(recipe, failure)) {
            std::optional<FoundFile> found = search_path(command).find(asked.subject);
            if (!found)
                throw Error({}, fmt::format("{} is gone", asked.subject))
                    .hint(fmt::format("{} is a copy of it", (here / "recipe.yaml").string()))
                    .exit_code(kExitIntegrity);
            recipe = found->path;
        }
        request.recipe = recipe;
        request.limits = command.limits;
    }
    request.named_at = name.where;
    request.arguments.clear();
    request.config_dirs.assign(asked.config_dirs.begin(), asked.config_dirs.end());
    for (const std::string& text : asked.arguments)
        request.arguments.push_back({static_cast<int>(request.arguments.size()) + 1, text});
    return request;
}

}  // namespace

void run_resume(Command& command) {
    fs::path folder = find_run(command.line.words.front().text);
    RunRequest asked = read_request(folder);
    fs::path here = fs::absolute(folder);
    if (command.line.has("--store"))
        asked.store = fs::absolute(store_of(command));
    Request request = request_again(command, asked, here);
    Catalog catalog(command.sources, schema_folders());
    request.catalog = &catalog;
    as_first_rank(command, request, asked.multirun, [&](Agents& agents) {
        RunSession session(command, catalog, request, agents);
        session.resume(here, asked);
    });
}

}  // namespace stillroom::cli
