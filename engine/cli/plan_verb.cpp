#include "engine/cli/plan_verb.h"

#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "engine/base/text.h"
#include "engine/base/units.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_verbs.h"
#include "engine/cli/selection.h"
#include "engine/plan/describe.h"
#include "engine/plan/estimate.h"
#include "engine/plan/reason.h"
#include "engine/plan/report.h"
#include "engine/run/describe_runner.h"
#include "engine/run/launch_config.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

#include <set>
#include <tuple>

namespace stillroom::cli {
namespace {

/// What is said of several jobs of a sweep is said once. Each job reads the files anew, so a place
/// is told by its name.
class Sayer {
public:
    explicit Sayer(Command& command) : command_(command) {}

    void say(const Diagnostics& some) {
        for (const Diagnostic& one : some.all()) {
            std::string place = command_.sources.position(one.where.begin).text();
            if (said_.emplace(one.code, place, one.message).second)
                command_.diagnostics.add(one);
        }
    }

private:
    Command& command_;
    std::set<std::tuple<int, std::string, std::string>> said_;
};

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

std::string place_text(Span where, const Sources& sources) {
    std::string place = sources.position(where.begin).text();
    return place.empty() ? "" : fmt::format(" at {}", escape_controls(place));
}

/// What a stage's report says before it has run, in words.
std::string said_text(const PlannedStage& planned) {
    if (!planned.description || planned.description->skeletons.empty())
        return {};
    Json described = Json::parse(planned.description->skeletons);
    const Json* text = described.find("text");
    std::string out;
    if (text && text->is_string())
        for (const std::string& line : split(text->string(), '\n'))
            out += line.empty() ? "" : fmt::format("    {}\n", escape_controls(line));
    return out;
}

std::string stage_lines(const Plan& plan, bool why, const Sources& sources) {
    std::size_t names = 0;
    for (const CheckedStage& stage : plan.graph.stages)
        names = std::max(names, stage.name.size());
    std::string out;
    for (std::size_t i = 0; i < plan.stages.size(); ++i) {
        const PlannedStage& planned = plan.stages[i];
        const CheckedStage& stage = plan.graph.stages[i];
        out += fmt::format("{:<{}}  {:<7}  {}{}\n",
                           stage.name,
                           names,
                           upper(state_name(planned.state)),
                           escape_controls(planned.reason),
                           place_text(planned.cause, sources));
        out += said_text(planned);
        if (why)
            for (const FieldChange& change : planned.changes)
                out += fmt::format("    {}{}\n",
                                   escape_controls(change_text(change)),
                                   place_text(field_place(stage, change.field), sources));
    }
    return out;
}

std::string totals_text(const Totals& totals, const Room& room) {
    std::string out = fmt::format("{} to run, {} cached", totals.run, totals.cached);
    if (totals.blocked > 0)
        out += fmt::format(", {} not known before others have run", totals.blocked);
    out += "\n";
    std::vector<std::string> costs;
    auto bytes = [](double value) { return size_text(static_cast<std::uint64_t>(value)); };
    if (totals.memory_bytes)
        costs.push_back(fmt::format(
            "memory {}{}",
            bytes(*totals.memory_bytes),
            room.memory_bytes > 0 ? fmt::format(" of {}", size_text(room.memory_bytes)) : ""));
    if (totals.disk_bytes)
        costs.push_back(fmt::format(
            "disk {}{}",
            bytes(*totals.disk_bytes),
            room.disk_free_bytes ? fmt::format(" of {} free", size_text(*room.disk_free_bytes))
                                 : ""));
    if (totals.seconds)
        costs.push_back("about " + time_text(*totals.seconds));
    if (totals.flops)
        costs.push_back(fmt::format("{:.2g} FLOPs", *totals.flops));
    if (!costs.empty() && totals.unknown > 0)
        costs.push_back(fmt::format("{} did not say", plural(totals.unknown, "stage")));
    if (!costs.empty())
        out += fmt::format("{}\n", fmt::join(costs, ", "));
    return out;
}

/// Memory as the launch grants it: that of the machine unless it says less.
Room room_of(Command& command, const CheckedJobs& jobs, const Store& store) {
    Room room;
    room.disk_free_bytes = free_bytes(store.folder());
    Diagnostics ignored;
    LaunchFacts facts =
        launch_facts({}, launch_folders(command.configuration(), trust_flags(command), ignored));
    Launch launch = read_launch(jobs.jobs.empty() ? nullptr : jobs.jobs.front().recipe.launch,
                                facts,
                                command.sources,
                                command.diagnostics);
    room.memory_bytes = launch.memory;
    return room;
}

Describer describer_of(Command& command) {
    DescribeOptions options;
    for (const TrustedPath& one :
         plugin_folders(command.configuration(), trust_flags(command), command.diagnostics))
        options.plugins.push_back(one.path);
    options.offline = is_offline(command.line.has("--offline"));
    return make_describer(options);
}

std::string plan_json(const std::string& file,
                      const CheckedJobs& jobs,
                      const std::vector<Plan>& plans,
                      const Totals& totals,
                      const Room& room,
                      const Sources& sources) {
    JsonWriter out;
    out.begin_object();
    if (!jobs.jobs.empty())
        out.key("recipe"), out.string(jobs.jobs.front().checked.recipe);
    out.key("file"), out.string(file);
    if (!jobs.swept) {
        out.key("stages"), write_stages(out, plans.front(), sources);
    } else {
        out.key("jobs"), out.begin_array();
        for (std::size_t i = 0; i < plans.size(); ++i) {
            out.begin_object();
            out.key("id"), out.string(jobs.jobs[i].id);
            out.key("overrides"), out.begin_array();
            for (const std::string& text : jobs.jobs[i].overrides)
                out.string(text);
            out.end_array();
            out.key("stages"), write_stages(out, plans[i], sources);
            out.key("totals"), write_totals(out, add_up(counted_stages({&plans[i]})), room);
            out.end_object();
        }
        out.end_array();
    }
    out.key("totals"), write_totals(out, totals, room);
    out.end_object();
    return out.take();
}

}  // namespace

void show_plan(Command& command, const std::string& file, const CheckedJobs& jobs) {
    Store store(store_of(command));
    Selection selection = selection_of(command);
    std::vector<Part> parts = select_stages(command, jobs, selection);
    PlanOptions options;
    if (command.line.has("--verify"))
        options.verify = Verify::digests;
    Sayer sayer(command);
    std::vector<Plan> plans;
    for (Part& part : parts) {
        options.force = forced_stages(part.graph, selection);
        Diagnostics planning;
        plans.push_back(make_plan(std::move(part.graph), store, options, planning));
        sayer.say(planning);
        if (command.diagnostics.ok() && !check_left_out(command, plans.back(), part.chosen))
            return;
    }
    if (plans.empty())
        return;
    std::vector<Plan*> all;
    for (Plan& plan : plans)
        all.push_back(&plan);
    Room room = room_of(command, jobs, store);
    if (command.diagnostics.ok()) {
        Diagnostics describing;
        describe_plans(all, describer_of(command), command.sources, describing);
        sayer.say(describing);
    }
    std::vector<Counted> counted = counted_stages({all.begin(), all.end()});
    refuse_what_will_not_fit(counted, room, command.diagnostics);
    Totals totals = add_up(counted);
    for (std::size_t i = 0; i < plans.size(); ++i) {
        const CheckedJob& job = jobs.jobs[i];
        std::string overrides = fmt::format("{}", fmt::join(job.overrides, " "));
        if (jobs.swept)
            command.text += fmt::format("{} {}\n", job.id, escape_controls(overrides));
        command.text += stage_lines(plans[i], command.line.has("--why"), command.sources);
    }
    command.text += totals_text(totals, room);
    command.result = plan_json(file, jobs, plans, totals, room, command.sources);
    if (const Word* out = command.line.value("--out"))
        write_file(out->text, command.result + "\n");
}

void run_plan(Command& command) {
    Catalog catalog(command.sources, schema_folders());
    std::optional<Request> request = recipe_request(command, command.line.words.front(), 1);
    if (!request)
        return;
    request->catalog = &catalog;
    CheckedJobs jobs = checked_jobs(command, catalog, *request, command.line.has("--multirun"));
    if (command.diagnostics.ok())
        show_plan(command, request->recipe.string(), jobs);
}

}  // namespace stillroom::cli
