#include "engine/cli/run_report.h"

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace stillroom::cli {
namespace {

/// The node of a dotted key, as far as the tree goes along it.
const Node& node_at(const Node& root, const std::string& key) {
    const Node* node = &root;
    for (const std::string& part : split(key, '.')) {
        NodePtr next;
        if (node->is_map())
            next = node->get(part);
        else if (node->is_list() && !part.empty() &&
                 part.find_first_not_of("0123456789") == std::string::npos && part.size() < 7 &&
                 std::stoul(part) < node->items.size())
            next = node->items[std::stoul(part)];
        if (!next)
            break;
        node = next.get();
    }
    return *node;
}

void add_failure(Command& command, const PlannedJob& job, const StageOutcome& outcome) {
    const CheckedStage& stage = job.plan.graph.stages[outcome.stage.stage];
    const StageEnd& end = outcome.end;
    std::string_view what = end.message;
    std::string prefix = fmt::format("stage '{}' ", outcome.stage.name);
    bool names_itself = what.starts_with(prefix);  // "stage 'x' crashed with SIGSEGV"
    if (names_itself)
        what.remove_prefix(prefix.size());
    Span where = stage.where;
    if (!end.key.empty()) {
        const Node& node = node_at(*stage.settings, end.key);
        if (node.where && node.origin != Origin::schema_default)
            where = node.where;
    }
    Diagnostic& problem = command.diagnostics.error(0,
                                                    where,
                                                    fmt::format("stage '{}' ({}) {}{}",
                                                                outcome.stage.name,
                                                                stage.use,
                                                                names_itself ? "" : "failed: ",
                                                                escape_controls(what)));
    problem.exits(end.exit_code);
    if (!end.key.empty())
        problem.at_key("stages." + stage.name + "." + end.key);
    for (const std::string& note : end.notes)
        problem.note({}, escape_controls(note));
    if (!end.log.empty())
        problem.note({},
                     fmt::format("rank {}{}: {}",
                                 end.rank,
                                 end.host.empty() ? "" : " on " + escape_controls(end.host),
                                 end.log.string()));
    problem.with_hint(end.hint);
}

std::string type_of(const CheckedStage& stage, const std::string& output) {
    for (const OutputDeclaration& declared : stage.type->outputs)
        if (declared.name == output)
            return declared.type;
    return "";
}

void write_outputs(JsonWriter& out, const PlannedJob& job) {
    const Graph& graph = job.plan.graph;
    out.key("outputs"), out.begin_object();
    for (const auto& [name, feed] : graph.outputs)
        for (std::size_t stage = 0; stage < graph.stages.size(); ++stage) {
            if (graph.stages[stage].name != feed.stage)
                continue;
            const PlannedStage& planned = job.plan.stages[stage];
            auto path = planned.paths.find(feed.output);
            if (path == planned.paths.end())
                continue;
            out.key(name), out.begin_object();
            out.key("type"), out.string(type_of(graph.stages[stage], feed.output));
            out.key("path"), out.string(path->second.string());
            out.key("key"), planned.key.empty() ? out.null() : out.string(planned.key);
            out.end_object();
        }
    out.end_object();
}

void write_stages(JsonWriter& out,
                  const std::vector<PlannedJob>& jobs,
                  const Outcome& outcome,
                  std::size_t job) {
    out.key("stages"), out.begin_array();
    for (const StageOutcome& stage : outcome.stages) {
        if (stage.stage.job != job)
            continue;
        out.begin_object();
        out.key("name"), out.string(jobs[job].plan.graph.stages[stage.stage.stage].name);
        out.key("state"), out.string(stage.state);
        out.key("seconds"), out.number(stage.seconds);
        out.key("reason"), out.string(stage.reason);
        out.key("outputs"), out.begin_object();
        for (const auto& [name, path] : stage.paths) {
            out.key(name), out.begin_object();
            out.key("path"), out.string(path.string());
            auto digest = stage.outputs.find(name);
            out.key("digest"), out.string(digest == stage.outputs.end() ? "" : digest->second);
            out.end_object();
        }
        out.end_object();
        out.end_object();
    }
    out.end_array();
}

/// Where a leaf came from, one comment a line above it.
void add_origin(std::string& text, const Node& node, const Sources& sources, int depth) {
    std::string place = node.origin == Origin::schema_default
                            ? "default"
                            : sources.position(node.where.begin).text();
    if (!place.empty())
        text += std::string(static_cast<std::size_t>(depth), ' ') + "# " + escape_controls(place) +
                "\n";
}

void write_node(std::string& text, const Node& node, const Sources& sources, int depth) {
    for (const Entry& entry : node.entries) {
        std::string indent(static_cast<std::size_t>(depth), ' ');
        std::string key = json_quoted(entry.key);
        if (entry.value->is_map() && !entry.value->entries.empty()) {
            text += indent + key + ":\n";
            write_node(text, *entry.value, sources, depth + 2);
            continue;
        }
        add_origin(text, *entry.value, sources, depth);
        JsonWriter out;
        write_json(out, *entry.value);
        text += indent + key + ": " + out.take() + "\n";
    }
}

}  // namespace

void StageTexts::add(const StageRef& stage, const std::string& text) {
    text_ += text;
    by_stage_[{stage.job, stage.stage}] += text;
}

void StageTexts::cached(const StageRef& stage, const PlannedStage& planned) {
    std::vector<Damage> ignored;
    if (planned.key.empty())
        return;
    if (std::optional<Manifest> entry = store_.find(planned.key, Verify::sizes, ignored))
        add(stage, entry->text);
}

void StageTexts::heard(const StageRef& stage, int rank, const Record& record) {
    if (rank == 0 && record.event == "text")
        add(stage, record.text);
}

std::string StageTexts::of_reports(const std::vector<PlannedJob>& jobs) const {
    std::string text;
    for (std::size_t job = 0; job < jobs.size(); job++) {
        const Graph& graph = jobs[job].plan.graph;
        std::set<std::size_t> told;
        for (const auto& [name, feed] : graph.outputs)
            for (std::size_t i = 0; i < graph.stages.size(); i++)
                if (graph.stages[i].name == feed.stage &&
                    type_of(graph.stages[i], feed.output) == "report" && told.insert(i).second)
                    if (auto found = by_stage_.find({job, i}); found != by_stage_.end())
                        text += fmt::format("\n{}:\n{}", name, found->second);
    }
    return text;
}

std::string with_origins(const Node& root, const Sources& sources) {
    std::string text;
    write_node(text, root, sources, 0);
    return text;
}

void report_run(Command& command,
                const RunFolder& folder,
                const std::vector<PlannedJob>& jobs,
                const Outcome& outcome,
                bool swept) {
    command.exit_code = outcome.exit_code;
    for (const StageOutcome& stage : outcome.stages)
        if (stage.state == "failed")
            add_failure(command, jobs[stage.stage.job], stage);
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("run"), out.string(folder.path().string());
        if (!swept) {
            write_outputs(out, jobs.front());
            write_stages(out, jobs, outcome, 0);
        } else {
            out.key("jobs"), out.begin_array();
            for (std::size_t job = 0; job < jobs.size(); ++job) {
                out.begin_object();
                out.key("id"), out.string(jobs[job].id);
                out.key("overrides"), out.begin_array();
                for (const std::string& text : jobs[job].overrides)
                    out.string(text);
                out.end_array();
                write_outputs(out, jobs[job]);
                write_stages(out, jobs, outcome, job);
                out.end_object();
            }
            out.end_array();
        }
        out.end_object();
    });
}

}  // namespace stillroom::cli
