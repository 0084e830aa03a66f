#include "engine/run/run_history.h"

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/document/document.h"
#include "engine/store/lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kTail = std::size_t{256} << 10;  // of events.jsonl: how it ended stands last

/// The whole lines at the end of a file. The first may be cut, the last may be half written.
std::vector<std::string> last_lines(const fs::path& file) {
    std::ifstream in(file, std::ios::binary | std::ios::ate);
    if (!in)
        return {};
    auto size = static_cast<std::size_t>(std::max<std::streamoff>(0, in.tellg()));
    std::size_t from = size > kTail ? size - kTail : 0;
    std::string text(size - from, '\0');
    in.seekg(static_cast<std::streamoff>(from));
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    std::vector<std::string> lines = split(text, '\n');
    if (!lines.empty())
        lines.pop_back();
    return lines;
}

NodePtr read_line(const std::string& line) {
    Sources sources;
    Diagnostics diagnostics;
    NodePtr root = read_json(sources.add("events.jsonl", line), {}, diagnostics).root;
    return diagnostics.ok() && root && root->is_map() ? root : nullptr;
}

std::string text_at(const Node& map, std::string_view key) {
    NodePtr value = map.get(key);
    return value && value->is_scalar() ? value->text : "";
}

/// How the last engine that worked here left it. An engine that was killed says nothing.
void read_end(RunHistory& history) {
    history.state = "stopped";
    std::vector<std::string> lines = last_lines(history.folder / "events.jsonl");
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
        bool began = line->find("\"run_began\"") != std::string::npos;
        bool ended = line->find("\"run_ended\"") != std::string::npos;
        NodePtr event = began || ended ? read_line(*line) : nullptr;
        if (!event)
            continue;
        if (text_at(*event, "event") == "run_ended" && history.ended.empty()) {
            history.exit_code = std::atoi(text_at(*event, "exit").c_str());
            history.ended = text_at(*event, "ts");
            bool stopped =
                history.exit_code == 75 || history.exit_code == 130 || history.exit_code == 143;
            history.state = history.exit_code == 0 ? "finished" : stopped ? "stopped" : "failed";
        }
        if (text_at(*event, "event") == "run_began") {
            history.total = static_cast<std::size_t>(
                std::strtoul(text_at(*event, "stages").c_str(), nullptr, 10));
            return;
        }
    }
}

std::string time_of_day(const std::string& time) {
    return time.size() >= 19 ? time.substr(11, 8) : time;
}

}  // namespace

std::size_t RunHistory::done() const {
    return static_cast<std::size_t>(
        std::count_if(stages.begin(), stages.end(), [](const StageFile& stage) {
            return stage.status == "done" || stage.status == "cached";
        }));
}

RunHistory read_history(const fs::path& folder) {
    RunHistory history;
    history.folder = folder;
    history.request = read_request(folder);
    history.stages = read_stage_files(folder);
    std::stable_sort(
        history.stages.begin(), history.stages.end(), [](const StageFile& a, const StageFile& b) {
            const std::string& first = a.started.empty() ? a.ended : a.started;
            const std::string& second = b.started.empty() ? b.ended : b.started;
            return first < second;
        });
    read_end(history);
    if (std::optional<Owner> owner = Lease::holder(folder / "lease")) {
        history.state = "running";
        history.pid = owner->pid;
        history.host = owner->host;
        history.ended.clear();
    }
    history.total = std::max(history.total, history.stages.size());
    return history;
}

std::vector<RankLog> rank_logs(const RunHistory& history, std::string_view stage) {
    std::vector<RankLog> logs;
    for (const StageFile& one : history.stages) {
        if (!stage.empty() && one.name != stage)
            continue;
        fs::path folder = history.folder / "logs" / one.name;
        for (const std::string& name : list_folder(folder))
            if (name.starts_with("rank-") && name.ends_with(".log"))
                logs.push_back({one.name, std::atoi(name.c_str() + 5), folder / name});
    }
    return logs;
}

std::string log_line(const RankLog& log, const Record& record) {
    std::string text;
    if (record.event == "log")
        text =
            record.name == "info" ? record.text : fmt::format("{}: {}", record.name, record.text);
    else if (record.event == "text")
        text = record.text;
    else if (record.event == "metric")
        text = fmt::format("step {}: {} = {:.6g}", record.step, record.name, record.value);
    else if (record.event == "gate")
        text = "gate: " + record.text;
    else if (record.event == "result" && !record.ok)
        text = fmt::format("failed ({}): {}", record.exit_code, record.text);
    else
        return "";
    std::string who = log.rank == 0 ? log.stage : fmt::format("{}[{}]", log.stage, log.rank);
    std::string out;
    for (const std::string& line : split(text, '\n'))
        out += fmt::format("{} {}: {}\n",
                           time_of_day(escape_controls(record.time)),
                           escape_controls(who),
                           escape_controls(line));
    return out;
}

std::map<std::string, double> last_metrics(const RunHistory& history) {
    std::map<std::string, double> metrics;
    for (const RankLog& log : rank_logs(history, "")) {
        if (log.rank != 0)
            continue;
        RecordFollower follower(log.file);
        for (std::vector<Record> some = follower.poll(); !some.empty(); some = follower.poll())
            for (const Record& record : some)
                if (record.event == "metric")
                    metrics[log.stage + "." + record.name] = record.value;
    }
    return metrics;
}

}  // namespace stillroom
