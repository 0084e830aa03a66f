#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/run_verbs.h"
#include "engine/cli/table.h"
#include "engine/cli/terminal.h"
#include "engine/run/run_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

constexpr auto kFollowPause = std::chrono::milliseconds(300);

std::string state_of(const RunHistory& run) {
    if (run.state == "running")
        return fmt::format("running, process {} on {}", run.pid, run.host);
    if (run.state == "failed")
        return fmt::format("failed ({})", run.exit_code);
    return run.state;
}

std::string stages_of(const RunHistory& run) {
    return fmt::format("{}/{}", run.done(), run.total);
}

/// What the run made that nothing in it used: its results, as far as the folder knows.
std::vector<std::pair<std::string, std::string>> results_of(const RunHistory& run) {
    std::vector<std::pair<std::string, std::string>> results;
    for (const StageFile& stage : run.stages)
        for (const auto& [name, path] : stage.paths)
            if (!path.empty())
                results.emplace_back(stage.name + "." + name, path);
    return results;
}

std::string or_dash(const std::string& text) {
    return text.empty() ? "-" : escape_controls(text);
}

void write_run(JsonWriter& out, const RunHistory& run, bool with_stages) {
    out.begin_object();
    out.key("run"), out.string(run.request.id);
    out.key("path"), out.string(run.folder.string());
    out.key("recipe"), out.string(run.request.recipe);
    out.key("state"), out.string(run.state);
    out.key("exit");
    run.ended.empty() ? out.null() : out.integer(run.exit_code);
    out.key("pid"), run.pid == 0 ? out.null() : out.integer(run.pid);
    out.key("host"), run.host.empty() ? out.null() : out.string(run.host);
    out.key("created"), out.string(run.request.created);
    out.key("ended"), run.ended.empty() ? out.null() : out.string(run.ended);
    out.key("done"), out.integer(static_cast<std::int64_t>(run.done()));
    out.key("total"), out.integer(static_cast<std::int64_t>(run.total));
    if (with_stages) {
        out.key("stages"), out.begin_array();
        for (const StageFile& stage : run.stages) {
            out.begin_object();
            out.key("name"), out.string(stage.name);
            out.key("use"), out.string(stage.use);
            out.key("state"), out.string(stage.status);
            out.key("exit"), out.integer(stage.exit_code);
            out.key("key"), stage.key.empty() ? out.null() : out.string(stage.key);
            out.key("reason"), stage.message.empty() ? out.null() : out.string(stage.message);
            out.key("outputs"), out.begin_object();
            for (const auto& [name, path] : stage.paths)
                out.key(name), out.string(path);
            out.end_object();
            out.end_object();
        }
        out.end_array();
    }
    out.end_object();
}

void list(Command& command) {
    std::vector<RunHistory> runs;
    for (const fs::path& folder : list_runs()) {
        try {
            runs.push_back(read_history(folder));
        } catch (const Error& error) {
            command.diagnostics.warning(0, {}, error.what());
        }
    }
    std::vector<std::vector<std::string>> rows;
    for (const RunHistory& run : runs)
        rows.push_back({or_dash(run.folder.filename().string()),
                        or_dash(run.request.recipe),
                        or_dash(run.request.created.substr(0, 19)),
                        stages_of(run),
                        escape_controls(state_of(run))});
    command.text = table(rows);
    if (runs.empty())
        command.progress = fmt::format("no runs below {}\n", run_root().string());
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("runs"), out.begin_array();
        for (const RunHistory& run : runs)
            write_run(out, run, false);
        out.end_array();
        out.end_object();
    });
}

void show(Command& command, const RunHistory& run) {
    const RunRequest& asked = run.request;
    std::vector<std::vector<std::string>> facts = {
        {"run", or_dash(run.folder.string())},
        {"recipe", fmt::format("{} ({})", or_dash(asked.recipe), or_dash(asked.subject))},
        {"state", escape_controls(state_of(run))},
        {"began", or_dash(asked.created)},
        {"ended", or_dash(run.ended)},
        {"engine", or_dash(asked.engine)},
        {"machine", or_dash(asked.machine)},
        {"launch", fmt::format("{}, {} cores", or_dash(asked.launch), asked.cores)},
        {"store", or_dash(asked.store.string())},
        {"stages", stages_of(run)}};
    if (!asked.arguments.empty())
        facts.push_back(
            {"overrides", escape_controls(fmt::format("{}", fmt::join(asked.arguments, " ")))});
    command.text = table(facts) + "\n";
    std::vector<std::vector<std::string>> rows;
    for (const StageFile& stage : run.stages)
        rows.push_back(
            {or_dash(stage.name),
             or_dash(stage.use),
             or_dash(stage.status),
             or_dash(stage.started.substr(0, std::min<std::size_t>(19, stage.started.size()))),
             escape_controls(stage.message)});
    command.text += table(rows);
    if (auto results = results_of(run); !results.empty()) {
        std::vector<std::vector<std::string>> made;
        for (const auto& [name, path] : results)
            made.push_back({or_dash(name), or_dash(path)});
        command.text += "\n" + table(made);
    }
    if (run.state == "stopped" || run.state == "failed")
        command.progress =
            fmt::format("hint: stillroom resume {}\n", escape_controls(run.folder.string()));
    command.write_result([&](JsonWriter& out) { write_run(out, run, true); });
}

/// New lines of all ranks since the last call, files that appeared meanwhile among them.
class LogReader {
public:
    explicit LogReader(std::string stage) : stage_(std::move(stage)) {}

    std::string read(const RunHistory& run) {
        std::string out;
        for (const RankLog& log : rank_logs(run, stage_)) {
            RecordFollower& follower = followers_.try_emplace(log.file, log.file).first->second;
            for (std::vector<Record> some = follower.poll(); !some.empty(); some = follower.poll())
                for (const Record& record : some)
                    out += log_line(log, record);
        }
        return out;
    }

private:
    std::string stage_;
    std::map<fs::path, RecordFollower> followers_;
};

void refuse_stage(Command& command, const RunHistory& run, const Word& word) {
    std::vector<std::string> names;
    for (const StageFile& stage : run.stages)
        names.push_back(stage.name);
    std::string hint = did_you_mean(word.text, names);
    command.diagnostics
        .error(0, word.where, fmt::format("no stage '{}' has begun in this run", word.text))
        .with_hint(hint.empty() && !names.empty() ? fmt::format("it has {}", join(names)) : hint);
}

void logs(Command& command, const fs::path& folder) {
    const std::vector<Word>& words = command.line.words;
    std::string stage = words.size() > 2 ? words[2].text : "";
    RunHistory run = read_history(folder);
    bool follows = command.line.has("--follow") && run.state == "running";
    if (!stage.empty() && !follows &&
        std::none_of(run.stages.begin(), run.stages.end(), [&](const StageFile& one) {
            return one.name == stage;
        }))
        return refuse_stage(command, run, words[2]);
    LogReader reader(stage);
    if (!follows || command.json()) {
        command.text = reader.read(run);
        command.write_result([&](JsonWriter& out) {
            out.begin_object();
            out.key("lines"), out.begin_array();
            for (const std::string& line : split(command.text, '\n'))
                if (!line.empty())
                    out.string(line);
            out.end_array();
            out.end_object();
        });
        return;
    }
    for (;;) {
        bool ends = run.state != "running";  // asked before reading: nothing comes after
        std::string failure = write_stdout(reader.read(run));
        if (!failure.empty())
            throw Error({}, "cannot write to stdout: " + failure).exit_code(kExitResource);
        if (ends)
            return;
        std::this_thread::sleep_for(kFollowPause);
        run = read_history(folder);
    }
}

}  // namespace

void run_runs(Command& command) {
    const std::vector<Word>& words = command.line.words;
    const std::string& action = words.front().text;
    if (action == "ls")
        return list(command);
    fs::path folder = find_run(words.size() > 1 ? words[1].text : "latest");
    if (action == "logs")
        return logs(command, folder);
    show(command, read_history(folder));
}

}  // namespace stillroom::cli
