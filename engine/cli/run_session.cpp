#include "engine/cli/run_session.h"

#include "engine/base/decimal.h"
#include "engine/base/files.h"
#include "engine/base/host.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/units.h"
#include "engine/cli/build_info.h"
#include "engine/cli/locking.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_report.h"
#include "engine/cli/run_view.h"
#include "engine/cli/selection.h"
#include "engine/cli/terminal.h"
#include "engine/document/document.h"
#include "engine/document/scalar.h"
#include "engine/plan/describe.h"
#include "engine/plan/estimate.h"
#include "engine/plan/report.h"
#include "engine/recipe/settings.h"
#include "engine/run/describe_runner.h"
#include "engine/run/inject.h"
#include "engine/run/journal.h"
#include "engine/run/runners.h"
#include "engine/run/signals.h"
#include "engine/schema/marks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLargestRecipe = std::size_t{16} << 20;

double seconds_of(Command& command, std::string_view option, double otherwise) {
    const Word* word = command.line.value(option);
    if (!word)
        return otherwise;
    std::optional<Decimal> value = parse_duration(word->text);
    std::optional<double> seconds = value ? std::optional(value->to_double()) : std::nullopt;
    if (seconds && *seconds >= 0 && *seconds < 1e9)
        return *seconds;
    command.diagnostics
        .error(0, word->where, fmt::format("'{}' is no duration", escape_controls(word->text)))
        .with_hint("write 25, 90s, 5m or 2h");
    return otherwise;
}

/// Every scalar by its dotted key, as JSON text.
void flatten(const Node& node, const std::string& path, std::map<std::string, std::string>& all) {
    if (node.is_map() && !node.entries.empty()) {
        for (const Entry& entry : node.entries)
            flatten(*entry.value, path.empty() ? entry.key : path + "." + entry.key, all);
        return;
    }
    JsonWriter out;
    write_json(out, node);
    all[path] = out.take();
}

/// Keys of stages that decide how they work and not what comes out: a run may go on with others.
std::vector<std::string> keys_of_no_result(const Checked& checked) {
    std::vector<std::string> keys;
    for (const CheckedStage& stage : checked.stages) {
        std::string place = fmt::format("stages.{}", fmt::join(split(stage.name, '/'), ".stages."));
        for (const auto& [key, marks] : marks_of(stage.type->settings, stage.settings).children)
            if (marks.ignored)
                keys.push_back(fmt::format("{}.{}", place, key));
        for (const char* key : {"ranks", "retry"})
            keys.push_back(fmt::format("{}.{}", place, key));
    }
    return keys;
}

bool is_at_or_below(std::string_view key, std::string_view other) {
    return key.starts_with(other) && (key.size() == other.size() || key[other.size()] == '.');
}

/// Those of the one stage of `do`, which no recipe names.
void name_outputs(Graph& graph) {
    for (const CheckedStage& stage : graph.stages)
        if (stage.name == kOneStage)
            for (const OutputDeclaration& output : stage.type->outputs)
                if (has_output(output, *stage.settings))
                    graph.outputs[output.name] = {stage.name, output.name, {}};
}

}  // namespace

RunSession::RunSession(Command& command,
                       const Catalog& catalog,
                       const Request& request,
                       Agents& agents)
    : command_(command),
      catalog_(catalog),
      request_(request),
      trust_(trust_flags(command)),
      agents_(agents) {
    configuration_ = command.configuration();
    ranks_ = read_ranks({}, environment_variables(), false);
    log_every_ = seconds_of(command, "--log-every", 30);
    grace_ = seconds_of(command, "--grace", 25);
}

/// Everything up to the plan. Nothing is written.
bool RunSession::prepare(const RunRequest& asked) {
    Diagnostics& diagnostics = command_.diagnostics;
    if (!diagnostics.ok())
        return false;
    CheckedJobs all = checked_jobs(command_, catalog_, request_, asked.multirun);
    if (!diagnostics.ok() || all.jobs.empty())
        return false;
    swept_ = all.swept;
    if (command_.line.has("--locked"))
        for (const CheckedJob& job : all.jobs)
            if (!check_locked(command_, request_, job.checked))
                return false;
    launch_ = read_launch(all.jobs.front().recipe.launch,
                          launch_facts(ranks_, launch_folders(configuration_, trust_, diagnostics)),
                          command_.sources,
                          diagnostics);
    for (const TrustedPath& path : plugin_folders(configuration_, trust_, diagnostics))
        plugins_.push_back(path.path);
    if (!diagnostics.ok())
        return false;
    store_.emplace(asked.store.empty() ? fs::absolute(store_of(command_)) : asked.store);
    return plan_stages(all, asked) && check_faults() && ask_stages() && find_ranks();
}

/// Plans what --only and --from leave in. What stands before must be in the store.
bool RunSession::plan_stages(CheckedJobs& all, const RunRequest& asked) {
    Selection selection{asked.only, asked.from, asked.force};
    std::vector<Part> parts = select_stages(command_, all, selection);
    planning_.verify = command_.line.has("--verify") ? Verify::digests : Verify::sizes;
    planning_.threads = static_cast<unsigned>(std::max(1, launch_.cores));
    planning_.nonce = asked.id;  // of a run that is gone on with: what it made counts
    for (const Part& part : parts)
        planning_.force.merge(forced_stages(part.graph, selection));
    for (std::size_t i = 0; i < parts.size(); ++i) {
        CheckedJob& job = all.jobs[i];
        if (asked.verb == "do")
            name_outputs(parts[i].graph);
        Plan plan = make_plan(std::move(parts[i].graph), *store_, planning_, command_.diagnostics);
        if (command_.diagnostics.ok() && !check_left_out(command_, plan, parts[i].chosen))
            return false;
        checked_.push_back(std::move(job.checked));
        jobs_.push_back({std::move(job.id), std::move(job.overrides), std::move(plan)});
        chosen_.push_back(std::move(parts[i].chosen));
    }
    return command_.diagnostics.ok();
}

/// Finds who starts the ranks, and that there are enough for every stage that may run.
bool RunSession::find_ranks() {
    std::size_t brief = 0;
    for (std::size_t job = 0; job < jobs_.size(); ++job)
        for (std::size_t stage : chosen_[job])
            if (jobs_[job].plan.stages[stage].state != StageState::cached) {
                const CheckedStage& checked = jobs_[job].plan.graph.stages[stage];
                check_ranks(launch_, ranks_, checked.name, ranks_of(checked));
                brief += checked.type->shares_process ? 1 : 0;
            }
    RunnerOptions options;
    options.agents = &agents_;
    options.stop = [] { return stillroom::asked().last; };
    watch_signals();
    runner_ = make_runner(launch_, ranks_, options);
    runner_->expect(std::min(brief, static_cast<std::size_t>(launch_.cores)));
    return true;
}

/// Faults on purpose are for tests alone, and one that would strike nothing is a mistake.
bool RunSession::check_faults() {
    for (const Word& word : command_.line.values("--inject")) {
        std::string stage = word.text.substr(0, word.text.find(':'));
        std::set<std::string> names;
        for (const PlannedJob& job : jobs_)
            for (const CheckedStage& one : job.plan.graph.stages)
                names.insert(one.name);
        if (!command_.line.has("--allow-inject")) {
            command_.diagnostics.error(0, word.where, "--inject breaks what it strikes")
                .with_hint("--allow-inject takes it")
                .exits(kExitPolicy);
        } else if (!names.contains(stage)) {
            refuse_stage(command_, names, stage);
        } else {
            try {
                read_fault(std::string_view(word.text).substr(
                    std::min(stage.size() + 1, word.text.size())));
            } catch (const Error& error) {
                add_error(command_.diagnostics, error, word.where);
            }
        }
    }
    return command_.diagnostics.ok();
}

/// Asks the stages that will run whether they can: before the first byte of weights is read.
bool RunSession::ask_stages() {
    DescribeOptions options;
    options.plugins = plugins_;
    options.offline = is_offline(command_.line.has("--offline"));
    std::vector<Plan*> plans;
    for (PlannedJob& job : jobs_)
        plans.push_back(&job.plan);
    describe_plans(plans, make_describer(options), command_.sources, command_.diagnostics);
    if (!command_.diagnostics.ok())
        return false;
    Room room;
    room.memory_bytes = launch_.memory;
    room.disk_free_bytes = free_bytes(store_->folder());
    refuse_what_will_not_fit(
        counted_stages({plans.begin(), plans.end()}), room, command_.diagnostics);
    return command_.diagnostics.ok();
}

/// The keys whose values differ from those that the run folder was begun with.
bool RunSession::check_changes(const fs::path& folder) {
    std::error_code unknown;
    if (!fs::exists(folder / "recipe.resolved.yaml", unknown) ||
        fs::is_empty(folder / "recipe.resolved.yaml", unknown))
        return true;  // killed before anything began, or a power cut took it
    Sources sources;
    Diagnostics ignored;
    std::string text = read_file(folder / "recipe.resolved.yaml", kLargestRecipe);
    const Source& source = sources.add("recipe.resolved.yaml", std::move(text));
    NodePtr before = read_yaml(source, Limits(), ignored).root;
    std::map<std::string, std::string> old_values, new_values;
    if (before)
        flatten(*before, "", old_values);
    flatten(*resolved_recipe(), "", new_values);
    std::vector<std::string> free =
        swept_ ? std::vector<std::string>() : keys_of_no_result(checked_.front());
    auto is_free = [&](const std::string& key) {
        return std::any_of(free.begin(), free.end(), [&](const std::string& one) {
            return is_at_or_below(key, one);
        });
    };
    std::vector<std::string> changes;
    for (const auto& [key, value] : new_values) {
        if (is_free(key))
            continue;
        auto old = old_values.find(key);
        if (old == old_values.end())
            changes.push_back(fmt::format("{}: {} is new", key, value));
        else if (old->second != value)
            changes.push_back(fmt::format("{}: {} -> {}", key, old->second, value));
    }
    for (const auto& [key, value] : old_values)
        if (!new_values.contains(key) && !is_free(key))
            changes.push_back(fmt::format("{}: {} is gone", key, value));
    if (changes.empty() || command_.line.has("--accept-changes"))
        return true;
    Diagnostic& refusal = command_.diagnostics.error(
        0, {}, fmt::format("{} changed since this run began", plural(changes.size(), "key")));
    for (const std::string& change : changes)
        refusal.note({}, escape_controls(change));
    refusal.with_hint("--accept-changes goes on with the recipe as it is now")
        .exits(kExitIntegrity);
    return false;
}

/// As composed and checked, every value in place; of a sweep job by job.
NodePtr RunSession::resolved_recipe() const {
    if (!swept_)
        return checked_.front().root;
    auto all = make_map();
    for (std::size_t i = 0; i < jobs_.size(); ++i)
        all->entries.push_back({jobs_[i].id, {}, checked_[i].root, false, {}});
    return all;
}

void RunSession::write_records(const RunFolder& folder) {
    if (request_.text.empty())
        folder.write("recipe.yaml", read_file(request_.recipe, kLargestRecipe));
    else
        folder.write("recipe.yaml", request_.text);
    folder.write("recipe.resolved.yaml", with_origins(*resolved_recipe(), command_.sources));
    std::string overrides;
    for (const std::string& text : folder.request().arguments)
        overrides += text + "\n";
    folder.write("overrides.txt", overrides);
    JsonWriter plan(2);
    plan.begin_object();
    plan.key("jobs"), plan.begin_array();
    for (const PlannedJob& job : jobs_) {
        plan.begin_object();
        plan.key("id"), plan.string(job.id);
        plan.key("stages"), write_stages(plan, job.plan, command_.sources);
        plan.end_object();
    }
    plan.end_array();
    plan.end_object();
    folder.write("plan.json", plan.take() + "\n");
}

void RunSession::run(RunRequest asked) {
    const Word* place = command_.line.value("--run-dir");
    std::optional<RunFolder> folder = place ? open_given(*place) : std::nullopt;
    if (folder)
        asked.id = folder->request().id;
    if (!command_.diagnostics.ok() || !prepare(asked))
        return;
    asked.recipe = checked_.front().recipe;
    asked.engine = kVersion;
    asked.machine = machine_class();
    asked.launch = launch_.name;
    asked.cores = launch_.cores;
    asked.store = store_->folder();
    if (folder) {
        if (!check_changes(folder->path()))
            return;
        if (command_.line.has("--accept-changes"))
            hand_over(*folder);
        folder->ask_again(std::move(asked));
    } else if (place) {
        folder = RunFolder::create_at(place->text, std::move(asked));
    } else {
        folder = RunFolder::create(run_root(), std::move(asked));
    }
    carry_out(*folder);
}

/// The run that --run-dir names, if one is there: held at once, so that a second engine is refused
/// before it has read or asked anything.
std::optional<RunFolder> RunSession::open_given(const Word& place) {
    std::error_code ignored;
    if (!fs::exists(fs::path(place.text) / "manifest.json", ignored))
        return std::nullopt;
    const Word* how = command_.line.value("--resume");
    if (!how || how->text != "never")
        return RunFolder::open(place.text);
    command_.diagnostics.error(0, place.where, fmt::format("{} holds a run already", place.text))
        .with_hint("another --run-dir, or --resume auto to go on with it");
    return std::nullopt;
}

void RunSession::resume(const fs::path& place, RunRequest asked) {
    RunFolder folder = RunFolder::open(place);
    for (const StageFile& stage : read_stage_files(folder.path()))
        if (stage.status == "done")
            planning_.fresh.insert(stage.key);
    if (!prepare(asked) || !check_changes(folder.path()))
        return;
    if (command_.line.has("--accept-changes"))
        hand_over(folder);
    carry_out(folder);
}

/// Unfinished work of a stage whose key changed becomes that of its new key.
void RunSession::hand_over(const RunFolder& folder) {
    for (const PlannedJob& job : jobs_)
        for (std::size_t stage = 0; stage < job.plan.stages.size(); ++stage) {
            const PlannedStage& planned = job.plan.stages[stage];
            const std::string& name = job.plan.graph.stages[stage].name;
            std::optional<StageFile> before =
                read_stage_file(folder.stage(job.id.empty() ? name : job.id + "/" + name));
            if (before && !before->key.empty() && !planned.key.empty() &&
                before->key != planned.key && planned.state == StageState::run)
                store_->hand_over_work(before->key, planned.key);
        }
}

/// As this command says, else as the run was asked for; a failed job of a sweep stops no other.
bool RunSession::keeps_going(const RunRequest& asked) const {
    if (command_.line.has("--fail-fast"))
        return false;
    return command_.line.has("--keep-going") || asked.keep_going || (swept_ && !asked.fail_fast);
}

void RunSession::carry_out(const RunFolder& folder) {
    write_records(folder);
    store_->register_run(folder.path());

    const Word* color = command_.line.value("--color");
    RunViewOptions seen = view_options(color ? color->text : "");
    seen.quiet = command_.line.has("--quiet");
    seen.verbose = static_cast<int>(command_.line.count("--verbose"));
    seen.log_every = log_every_;
    ExecuteOptions options;
    options.capacity = {launch_.cores, launch_.devices, launch_.memory};
    options.keep_going = keeps_going(folder.request());
    options.grace = std::chrono::seconds(static_cast<long>(grace_));
    options.asked = asked;

    DeskOptions desk_options;
    desk_options.planning = planning_;
    desk_options.planning.nonce = folder.request().id;
    desk_options.launch = launch_;
    desk_options.plugins = plugins_;
    desk_options.engine = kVersion;
    desk_options.offline = is_offline(command_.line.has("--offline"));
    desk_options.strict = command_.line.has("--strict");
    desk_options.overwrite = command_.line.has("--overwrite");
    for (const Word& word : command_.line.values("--inject"))
        desk_options.inject.push_back(word.text);
    StoreDesk desk(*store_, folder, std::move(desk_options));

    Journal journal(folder, jobs_);
    std::unique_ptr<RunView> view = make_run_view(seen, jobs_);
    StageTexts stage_texts(*store_);
    Observers observers;
    observers.add(journal);
    observers.add(*view);
    observers.add(stage_texts);
    std::size_t stages = 0;
    for (const std::set<std::size_t>& some : chosen_)
        stages += some.size();
    journal.run_began(stages);
    view->first_lines(ranks_line(ranks_), launch_, folder.path(), store_->folder(), chosen_);
    Outcome outcome = execute(jobs_, chosen_, desk, *runner_, observers, options);
    journal.run_ended(outcome.exit_code);
    report_run(command_, folder, jobs_, outcome, swept_);
    view->last_lines(outcome, folder.path());
    if (!command_.json())
        command_.text =
            folder.request().verb == "do" ? stage_texts.text() : stage_texts.of_reports(jobs_);
}

}  // namespace stillroom::cli
