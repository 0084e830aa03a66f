#include "engine/cli/run_view.h"

#include "engine/base/text.h"
#include "engine/cli/live_area.h"
#include "engine/cli/run_summary.h"
#include "engine/cli/stage_progress.h"
#include "engine/run/signals.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace stillroom::cli {
namespace {

namespace fs = std::filesystem;

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr int kMostWarnings = 20;  // of one stage; its log has them all
constexpr std::size_t kMostSkipped = 20;
constexpr std::size_t kLongestMessage = 2000;
constexpr int kWidestName = 32;

enum class Color { none, green, yellow, red };

std::string message_text(std::string_view text) {
    return shorten(escape_controls(text.substr(0, 4 * kLongestMessage)), kLongestMessage);
}

class View final : public RunView {
public:
    View(const RunViewOptions& options, const std::vector<PlannedJob>& jobs)
        : options_(options),
          jobs_(jobs),
          area_(options_.sink),
          began_(options_.now()),
          said_progress_(began_) {
        for (const PlannedJob& job : jobs)
            total_ += job.plan.stages.size();
    }
    View(const View&) = delete;
    View& operator=(const View&) = delete;
    ~View() override { finish_drawing(); }

    void first_lines(std::string_view launcher,
                     const Launch& launch,
                     const fs::path& run,
                     const fs::path& store,
                     const std::vector<std::set<std::size_t>>& chosen) override;
    void last_lines(const Outcome& outcome, const fs::path& run) override;

    void cached(const StageRef& stage, const PlannedStage& planned) override;
    void reads(const StageRef& stage, const std::vector<fs::path>& paths) override;
    void waits(const StageRef& stage, const std::string& holder) override;
    void begins(const StageRef& stage, const PlannedStage& planned, const Job& job) override;
    void heard(const StageRef& stage, int rank, const Record& record) override;
    void ended(const StageRef& stage, const PlannedStage& planned, const Made& made) override;
    void failed(const StageRef& stage, const StageEnd& end, bool another_try) override;
    void skipped(const StageRef& stage, const std::string& reason) override;
    void stopping(int signal, bool at_once) override;
    void tick() override;

private:
    using Place = std::pair<std::size_t, std::size_t>;  ///< job, stage: the order of the lines
    struct Shown {
        StageProgress progress;
        int warnings = 0;
        Moment said{};  ///< when a plain progress line last told of it
    };

    Shown& at(const StageRef& stage);
    void leave(const StageRef& stage) { running_.erase({stage.job, stage.stage}); }
    void note(const StageRef& stage, std::string_view word, const std::string& what);
    void log(const StageRef& stage, int rank, const Record& record);
    void say(std::string_view word, Color color, const std::string& text);
    void put(const std::string& line);
    void say_progress(Moment now);
    void draw(Moment now);
    void finish_drawing();
    std::string elapsed(const StageRef& stage);

    RunViewOptions options_;
    const std::vector<PlannedJob>& jobs_;
    LiveArea area_;
    Moment began_;
    Moment drawn_{};
    Moment said_progress_;
    std::map<Place, Shown> running_;
    std::size_t total_ = 0;
    std::size_t over_ = 0;
    std::size_t skipped_ = 0;
    bool stopping_ = false;
    std::optional<std::int64_t> stopped_step_;
};

View::Shown& View::at(const StageRef& stage) {
    Place place{stage.job, stage.stage};
    auto found = running_.find(place);
    if (found == running_.end())
        found =
            running_
                .emplace(place,
                         Shown{StageProgress(escape_controls(stage.name), options_.now()), 0, {}})
                .first;
    return found->second;
}

/// A line that stays: what happened, to what.
void View::say(std::string_view word, Color color, const std::string& text) {
    if (options_.quiet)
        return;
    static constexpr const char* kCodes[] = {"", "\x1b[32m", "\x1b[33m", "\x1b[31m"};
    bool colored = options_.color && color != Color::none;
    std::string line = fmt::format("{}{:<8}{} {}",
                                   colored ? kCodes[static_cast<int>(color)] : "",
                                   word,
                                   colored ? "\x1b[0m" : "",
                                   text);
    put(line);
}

void View::put(const std::string& line) {
    if (options_.terminal)
        area_.scroll(line);
    else
        options_.sink(line + "\n");
}

void View::first_lines(std::string_view launcher,
                       const Launch& launch,
                       const fs::path& run,
                       const fs::path& store,
                       const std::vector<std::set<std::size_t>>& chosen) {
    if (!chosen.empty()) {
        total_ = 0;
        for (const std::set<std::size_t>& stages : chosen)
            total_ += stages.size();
    }
    std::string machine = plural(static_cast<std::size_t>(std::max(launch.cores, 0)), "core");
    machine += launch.devices > 0
                   ? ", device: " + plural(static_cast<std::size_t>(launch.devices), "accelerator")
                   : ", device: cpu";
    say("launch", Color::none, fmt::format("{}, {}", launch.name, machine));
    say("", Color::none, escape_controls(launcher));
    say("run", Color::none, escape_controls(run.string()));
    say("store", Color::none, escape_controls(store.string()));
    say("stages", Color::none, stages_line(jobs_, chosen));
    draw(options_.now());
}

void View::cached(const StageRef& stage, const PlannedStage& planned) {
    leave(stage);
    ++over_;
    if (options_.verbose > 0)
        say("cached",
            Color::none,
            escape_controls(stage.name) +
                (planned.key.empty() ? "" : " " + planned.key.substr(0, 12)));
}

/// What a stage does before its ranks begin.
void View::note(const StageRef& stage, std::string_view word, const std::string& what) {
    at(stage).progress.set_note(fmt::format("{} {}", word, what));
    if (!options_.terminal)
        say(word, Color::none, fmt::format("{}: {}", escape_controls(stage.name), what));
}

void View::reads(const StageRef& stage, const std::vector<fs::path>& paths) {
    std::string what = paths.empty() ? "" : message_text(paths.front().string());
    if (paths.size() > 1)
        what += fmt::format(" and {} more", paths.size() - 1);
    note(stage, "hashing", what);
}

void View::waits(const StageRef& stage, const std::string& holder) {
    note(stage, "waiting", "for " + message_text(holder));
}

void View::begins(const StageRef& stage, const PlannedStage& planned, const Job& job) {
    leave(stage);  // the time that counts begins now
    at(stage);
    if (planned.damaged)
        say("warning",
            Color::yellow,
            fmt::format("{}: its entry in the store is damaged and made again: {}",
                        escape_controls(stage.name),
                        message_text(planned.reason)));
    bool goes_on = has_saved_work(job);
    if (options_.terminal && !goes_on)
        return;
    std::string text = fmt::format("{} ({})", escape_controls(stage.name), job.use);
    if (job.ranks > 1)
        text += fmt::format(", {} ranks", job.ranks);
    if (job.try_number > 1)
        text += fmt::format(", try {}", job.try_number);
    say("start", Color::none, goes_on ? text + ", going on with its saved work" : text);
}

void View::log(const StageRef& stage, int rank, const Record& record) {
    bool grave = record.name == "warning" || record.name == "error";
    int needed = rank > 0 ? 2 : grave ? 0 : record.name == "debug" ? 2 : 1;
    if (options_.verbose < needed)
        return;
    std::string who = escape_controls(stage.name);
    if (rank > 0)
        who += fmt::format(", rank {}", rank);
    if (grave && options_.verbose < 2) {
        int count = ++at(stage).warnings;
        if (count > kMostWarnings + 1)
            return;
        if (count == kMostWarnings + 1) {
            say("warning", Color::yellow, who + ": more of them are in its log");
            return;
        }
    }
    say(grave ? message_text(record.name) : "log",
        grave ? Color::yellow : Color::none,
        who + ": " + message_text(record.text));
}

void View::heard(const StageRef& stage, int rank, const Record& record) {
    if (record.event == "log")
        log(stage, rank, record);
    else if (rank == 0)
        at(stage).progress.hear(record, options_.now());
}

std::string View::elapsed(const StageRef& stage) {
    return duration_text(at(stage).progress.seconds(options_.now()));
}

void View::ended(const StageRef& stage, const PlannedStage&, const Made& made) {
    for (const std::string& warning : made.warnings)
        say("warning",
            Color::yellow,
            fmt::format("{}: {}", escape_controls(stage.name), message_text(warning)));
    if (!made.gate.empty())
        return;  // `failed` follows
    std::vector<std::string> outputs;
    for (const auto& [name, path] : made.paths)
        outputs.push_back(escape_controls(name));
    std::string text = fmt::format("{} in {}", escape_controls(stage.name), elapsed(stage));
    if (!outputs.empty())
        text += ": " + join(outputs);
    say("done", Color::green, text);
    leave(stage);
    ++over_;
}

void View::failed(const StageRef& stage, const StageEnd& end, bool another_try) {
    std::string name = escape_controls(stage.name);
    const StageProgress& progress = at(stage).progress;
    if (stopping_ && end.exit_code >= kExitStopped) {
        std::string text = fmt::format("{} after {}", name, elapsed(stage));
        if (progress.step())
            text += fmt::format(" at step {}", *progress.step());
        say("stopped", Color::yellow, text + (progress.saved() ? ", checkpoint saved" : ""));
        if (progress.saved())
            stopped_step_ = progress.step();
    } else {
        std::string text = fmt::format("{} after {}", name, elapsed(stage));
        if (end.rank > 0 || !end.host.empty())
            text += fmt::format(", rank {}{}",
                                end.rank,
                                end.host.empty() ? "" : " on " + escape_controls(end.host));
        text += ": " + message_text(end.message);
        say(another_try ? "again" : "failed", another_try ? Color::yellow : Color::red, text);
    }
    leave(stage);
    if (!another_try)
        ++over_;
}

void View::skipped(const StageRef& stage, const std::string& reason) {
    leave(stage);
    ++over_;
    if (stopping_ && options_.verbose == 0)
        return;
    if (++skipped_ <= kMostSkipped || options_.verbose > 0)
        say("skipped",
            Color::yellow,
            fmt::format("{}: {}", escape_controls(stage.name), message_text(reason)));
}

void View::stopping(int signal, bool at_once) {
    stopping_ = true;
    if (at_once)
        say("abort", Color::red, "what still runs is ended now");
    else
        say("stopping",
            Color::yellow,
            fmt::format("{}: at the next safe point, with a checkpoint where a stage can; Ctrl-C "
                        "twice aborts at once",
                        signal_name(signal)));
    draw(options_.now());
}

/// Of the running stages the one that was not told of for longest.
void View::say_progress(Moment now) {
    auto longest = std::min_element(running_.begin(), running_.end(), [](auto& a, auto& b) {
        return a.second.said < b.second.said;
    });
    if (longest == running_.end())
        return;
    Shown& shown = longest->second;
    shown.said = said_progress_ = now;
    std::string text = shown.progress.name() + ": " + shown.progress.plain_line(now);
    if (running_.size() > 1)
        text += fmt::format(" ({} more at work)", running_.size() - 1);
    say("running", Color::none, text);
}

void View::draw(Moment now) {
    if (!options_.terminal)
        return;
    drawn_ = now;
    TerminalSize size = options_.size();
    int columns = size.columns - 1;
    auto room = static_cast<std::size_t>(std::max(size.rows - 2, 0));
    std::vector<std::string> lines;
    if (!options_.quiet && columns > 0) {
        bool counts = total_ > 1 && room > 1 && !running_.empty();
        std::size_t most = room - (counts ? 1 : 0);
        std::size_t shown = running_.size() <= most ? running_.size() : most > 0 ? most - 1 : 0;
        int widest = 0;
        auto last = std::next(running_.begin(), static_cast<std::ptrdiff_t>(shown));
        for (auto it = running_.begin(); it != last; ++it)
            widest = std::max(widest, display_width(it->second.progress.name()));
        widest = std::min({widest, kWidestName, columns / 2});
        for (auto it = running_.begin(); it != last; ++it)
            lines.push_back(it->second.progress.bar_line(columns, widest, now));
        if (shown < running_.size() && most > 0)
            lines.push_back(fit(fmt::format("and {} more", running_.size() - shown), columns));
        if (counts)
            lines.push_back(
                fit(fmt::format("{} of {} stages, {}",
                                over_,
                                total_,
                                duration_text(std::chrono::duration<double>(now - began_).count())),
                    columns));
    }
    area_.draw(lines, size);
}

void View::tick() {
    Moment now = options_.now();
    if (options_.terminal) {
        if (now - drawn_ >= kRedraw)
            draw(now);
    } else if (std::chrono::duration<double>(now - said_progress_).count() >= options_.log_every) {
        say_progress(now);
    }
}

void View::finish_drawing() {
    running_.clear();
    draw(options_.now());
}

void View::last_lines(const Outcome& outcome, const fs::path& run) {
    running_.clear();
    double seconds = std::chrono::duration<double>(options_.now() - began_).count();
    if (skipped_ > kMostSkipped && options_.verbose == 0)
        say("skipped", Color::yellow, fmt::format("{} more", skipped_ - kMostSkipped));
    std::string command = shell_word(escape_controls(run.string()));
    say(outcome.exit_code == kExitOk ? "finished" : "ended",
        outcome.exit_code == kExitOk ? Color::green : Color::yellow,
        count_line(outcome, seconds));
    std::vector<std::string> jobs = job_lines(jobs_, outcome);
    for (std::size_t i = 0; i < jobs.size(); ++i)
        say(i == 0 ? "jobs" : "", Color::none, jobs[i]);
    std::vector<std::string> results = result_lines(jobs_, outcome);
    for (std::size_t i = 0; i < results.size(); ++i)
        say(i == 0 ? "results" : "", Color::none, results[i]);
    for (const std::string& line : failure_lines(outcome))
        say("log", Color::none, line);
    bool stopped = outcome.signal != 0 && outcome.exit_code >= kExitStopped;
    if (stopped)
        put(stop_line(outcome, stopped_step_));  // quiet or not: what else says it?
    std::string verb = outcome.exit_code == kExitOk ? "runs show" : "resume";
    say("next", Color::none, fmt::format("stillroom {} {}", verb, command));
    finish_drawing();
}

}  // namespace

RunViewOptions view_options(std::string_view color) {
    RunViewOptions options;
    options.terminal = wants_redraw(color);
    options.color = colors_view(color);
    return options;
}

std::unique_ptr<RunView> make_run_view(const RunViewOptions& options,
                                       const std::vector<PlannedJob>& jobs) {
    return std::make_unique<View>(options, jobs);
}

}  // namespace stillroom::cli
