#include "engine/cli/run_summary.h"

#include "engine/base/text.h"
#include "engine/cli/stage_progress.h"
#include "engine/cli/table.h"
#include "engine/run/signals.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace stillroom::cli {
namespace {

constexpr std::size_t kMostLines = 20;

std::string shown(const std::filesystem::path& path) {
    return escape_controls(path.string());
}

/// At most 20 lines, then how many more there are.
void limit(std::vector<std::string>& lines) {
    if (lines.size() <= kMostLines)
        return;
    std::size_t more = lines.size() - kMostLines;
    lines.resize(kMostLines);
    lines.push_back(fmt::format("and {} more", more));
}

bool is_chosen(const std::vector<std::set<std::size_t>>& chosen, std::size_t job, std::size_t at) {
    return job >= chosen.size() || chosen[job].contains(at);
}

using OutcomeMap = std::map<std::size_t, const StageOutcome*>;

/// What this job's recipe promises: name and folder.
void add_outputs(const PlannedJob& job,
                 const OutcomeMap& stages,
                 const std::string& prefix,
                 std::vector<std::string>& lines) {
    const Graph& graph = job.plan.graph;
    for (const auto& [name, feed] : graph.outputs)
        for (const auto& [at, stage] : stages)
            if (auto path = stage->paths.find(feed.output);
                graph.stages[at].name == feed.stage && path != stage->paths.end())
                lines.push_back(
                    fmt::format("{}{}: {}", prefix, escape_controls(name), shown(path->second)));
}

/// What the stages left that nothing follows.
void add_last_stages(const PlannedJob& job,
                     const OutcomeMap& stages,
                     std::vector<std::string>& lines) {
    std::set<std::size_t> followed;
    for (const Edge& edge : job.plan.graph.edges)
        if (stages.contains(edge.to))
            followed.insert(edge.from);
    for (const auto& [at, stage] : stages)
        if (!followed.contains(at))
            for (const auto& [output, path] : stage->paths)
                lines.push_back(fmt::format("{}.{}: {}",
                                            escape_controls(stage->stage.name),
                                            escape_controls(output),
                                            shown(path)));
}

}  // namespace

std::string stages_line(const std::vector<PlannedJob>& jobs,
                        const std::vector<std::set<std::size_t>>& chosen) {
    std::size_t run = 0, blocked = 0, cached = 0;
    for (std::size_t job = 0; job < jobs.size(); ++job)
        for (std::size_t at = 0; at < jobs[job].plan.stages.size(); ++at) {
            if (!is_chosen(chosen, job, at))
                continue;
            StageState state = jobs[job].plan.stages[at].state;
            ++(state == StageState::cached ? cached : state == StageState::run ? run : blocked);
        }
    std::string text = plural(run, "stage") + " to run";
    if (blocked > 0)
        text += fmt::format(", {} after them", blocked);
    return text + fmt::format(", {} cached", cached);
}

std::vector<std::string> result_lines(const std::vector<PlannedJob>& jobs, const Outcome& outcome) {
    std::vector<OutcomeMap> ended(jobs.size());
    for (const StageOutcome& stage : outcome.stages)
        if ((stage.state == "run" || stage.state == "cached") && stage.stage.job < jobs.size())
            ended[stage.stage.job][stage.stage.stage] = &stage;
    std::vector<std::string> lines;
    for (std::size_t job = 0; job < jobs.size(); ++job) {
        std::size_t before = lines.size();
        std::string prefix = jobs[job].id.empty() ? "" : escape_controls(jobs[job].id) + "/";
        add_outputs(jobs[job], ended[job], prefix, lines);
        if (lines.size() == before)
            add_last_stages(jobs[job], ended[job], lines);
        for (const auto& [at, stage] : ended[job])
            for (const std::filesystem::path& path : jobs[job].plan.stages[at].written)
                lines.push_back(
                    fmt::format("{} wrote {}", escape_controls(stage->stage.name), shown(path)));
    }
    limit(lines);
    return lines;
}

std::vector<std::string> job_lines(const std::vector<PlannedJob>& jobs, const Outcome& outcome) {
    if (jobs.empty() || jobs.front().id.empty())
        return {};
    std::vector<std::map<std::string, std::vector<const StageOutcome*>>> states(jobs.size());
    for (const StageOutcome& stage : outcome.stages)
        if (stage.stage.job < jobs.size())
            states[stage.stage.job][stage.state].push_back(&stage);
    std::vector<std::vector<std::string>> rows;
    for (std::size_t job = 0; job < jobs.size(); ++job) {
        auto& of = states[job];
        std::string state = "done";
        for (const char* bad : {"failed", "stopped", "skipped"})
            if (!of[bad].empty()) {
                const Plan& plan = jobs[job].plan;
                state = fmt::format(
                    "{} at {}",
                    bad,
                    escape_controls(plan.graph.stages[of[bad].front()->stage.stage].name));
                break;
            }
        rows.push_back({jobs[job].id,
                        state,
                        fmt::format("{} run, {} cached", of["run"].size(), of["cached"].size()),
                        escape_controls(fmt::format("{}", fmt::join(jobs[job].overrides, " ")))});
    }
    std::vector<std::string> lines = split(table(rows), '\n');
    std::erase(lines, "");
    limit(lines);
    return lines;
}

std::vector<std::string> failure_lines(const Outcome& outcome) {
    std::vector<std::string> lines;
    for (const StageOutcome& stage : outcome.stages) {
        if (stage.state != "failed")
            continue;
        const StageEnd& end = stage.end;
        std::string line =
            fmt::format("{} failed (exit {})", escape_controls(stage.stage.name), end.exit_code);
        if (!end.log.empty())
            line += fmt::format(": rank {}{}, {}",
                                end.rank,
                                end.host.empty() ? "" : " on " + escape_controls(end.host),
                                shown(end.log));
        lines.push_back(std::move(line));
    }
    limit(lines);
    return lines;
}

std::string stop_line(const Outcome& outcome, std::optional<std::int64_t> step) {
    std::string text = fmt::format("stopped by {}", signal_name(outcome.signal));
    if (!outcome.saved)
        return text + ", no checkpoint: an unfinished stage begins anew";
    if (step)
        text += fmt::format(" at step {}", *step);
    return text + ", checkpoint saved";
}

std::string count_line(const Outcome& outcome, double seconds) {
    std::map<std::string, std::size_t> counts;
    for (const StageOutcome& stage : outcome.stages)
        ++counts[stage.state];
    std::string text =
        plural(counts["run"], "stage") + " run, " + std::to_string(counts["cached"]) + " cached";
    for (const char* state : {"failed", "stopped", "skipped"})
        if (counts[state] > 0)
            text += fmt::format(", {} {}", counts[state], state);
    return text + " in " + duration_text(seconds);
}

}  // namespace stillroom::cli
