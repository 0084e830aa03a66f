#include "engine/cli/run_view.h"

#include "engine/base/text.h"
#include "tests/engine/cli/variable.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>
#include <cstdlib>

using namespace stillroom;
using namespace stillroom::cli;

namespace {

/// A terminal as far as the view uses one: lines that scroll, cursor up, clearing, no wrapping on
/// demand, and lines that are broken anew when it gets narrower.
class Screen {
public:
    Screen(int columns, int rows) : columns_(columns), rows_(rows) {}

    TerminalSize size() const { return {columns_, rows_}; }

    void write(std::string_view text) {
        for (std::size_t i = 0; i < text.size();) {
            if (text[i] == '\x1b') {
                i = command(text, i);
                continue;
            }
            std::size_t begin = i;
            decode_utf8(text, i);
            put(text.substr(begin, i - begin));
        }
    }

    /// Breaks what is wider; the cursor stays in its line. Rows keep to themselves when it widens.
    void resize(int columns, int rows) {
        std::vector<Row> all;
        std::size_t cursor = 0;
        for (std::size_t at = 0; at < lines_.size(); ++at) {
            if (at == row_)
                cursor = all.size();
            Row rest = lines_[at];
            while (static_cast<int>(rest.size()) > columns) {
                all.emplace_back(rest.begin(), rest.begin() + columns);
                rest.erase(rest.begin(), rest.begin() + columns);
            }
            all.push_back(rest);
        }
        lines_ = all;
        row_ = cursor;
        columns_ = columns;
        rows_ = rows;
    }

    std::string text() const {
        std::string all;
        for (const Row& row : lines_) {
            std::string line;
            for (const std::string& cell : row)
                line += cell;
            while (line.ends_with(' '))
                line.pop_back();
            all += line + "\n";
        }
        return all;
    }

    bool wraps() const { return wraps_; }
    int wrapped = 0;  ///< lines broken because they were too wide

private:
    using Row = std::vector<std::string>;  // a cell a column; the right half of a wide one is ""

    void put(std::string_view c) {
        if (c == "\r") {
            column_ = 0;
            return;
        }
        if (c == "\n") {  // a terminal adds the return
            column_ = 0;
            if (++row_ == lines_.size())
                lines_.emplace_back();
            return;
        }
        int width = display_width(c);
        if (column_ + width > columns_) {
            if (!wraps_)
                return;
            ++wrapped;
            put("\n");
        }
        Row& row = lines_[row_];
        if (width == 0 || static_cast<int>(row.size()) < column_ + width)
            row.resize(static_cast<std::size_t>(column_ + width), " ");
        for (int i = 0; i < width; ++i)
            row[static_cast<std::size_t>(column_ + i)] = i == 0 ? std::string(c) : "";
        column_ += width;
    }

    std::size_t command(std::string_view text, std::size_t i) {
        REQUIRE(text.substr(i, 2) == "\x1b[");
        std::size_t end = text.find_first_of("AKJhlm", i);
        REQUIRE(end != std::string_view::npos);
        std::string argument(text.substr(i + 2, end - i - 2));
        switch (text[end]) {
            case 'A': {
                // What has left the screen cannot be reached.
                auto up = static_cast<std::size_t>(std::atoi(argument.c_str()));
                std::size_t height = static_cast<std::size_t>(rows_);
                std::size_t top = lines_.size() > height ? lines_.size() - height : 0;
                row_ = row_ > top + up ? row_ - up : top;
                break;
            }
            case 'J':
                lines_.resize(row_ + 1);
                [[fallthrough]];
            case 'K':
                if (static_cast<int>(lines_[row_].size()) > column_)
                    lines_[row_].resize(static_cast<std::size_t>(column_));
                break;
            case 'h':
            case 'l':
                REQUIRE(argument == "?7");
                wraps_ = text[end] == 'h';
                break;
            default:
                break;
        }
        return end + 1;
    }

    int columns_, rows_;
    std::vector<Row> lines_{1};
    std::size_t row_ = 0;
    int column_ = 0;
    bool wraps_ = true;
};

/// A view with events made by hand and a clock ticked by hand.
class Stage {
public:
    explicit Stage(int columns = 80, int rows = 24) : screen(columns, rows) {
        options.terminal = true;
        options.sink = [this](std::string_view text) {
            bytes += text;
            ++writes;
            if (options.terminal)
                screen.write(text);
        };
        options.size = [this] { return screen.size(); };
        options.now = [this] { return now; };
        jobs.resize(1);
    }

    RunView& view() {
        if (!view_)
            view_ = make_run_view(options, jobs);
        return *view_;
    }
    void end() { view_.reset(); }

    void add(const std::string& name, StageState state = StageState::run) {
        CheckedStage stage;
        stage.name = name;
        jobs[0].plan.graph.stages.push_back(stage);
        PlannedStage planned;
        planned.state = state;
        jobs[0].plan.stages.push_back(planned);
    }

    StageRef ref(std::size_t at) const { return {0, at, jobs[0].plan.graph.stages[at].name}; }

    void begin(std::size_t at) {
        Job job;
        job.use = "toy.count";
        view().begins(ref(at), jobs[0].plan.stages[at], job);
    }
    void done(std::size_t at) {
        Made made;
        made.paths["model"] = "/store/abc/model";
        view().ended(ref(at), jobs[0].plan.stages[at], made);
    }
    void progress(std::size_t at, double done, const std::string& what) {
        Record record;
        record.event = "progress";
        record.value = done;
        record.text = what;
        view().heard(ref(at), 0, record);
    }
    void metric(std::size_t at, double value, std::int64_t step) {
        Record record;
        record.event = "metric";
        record.name = "loss";
        record.value = value;
        record.step = step;
        view().heard(ref(at), 0, record);
    }
    void log(std::size_t at, const std::string& level, const std::string& text) {
        Record record;
        record.event = "log";
        record.name = level;
        record.text = text;
        view().heard(ref(at), 0, record);
    }
    void pass(double seconds, double step = 0.05) {
        for (double done = 0; done < seconds - 1e-9; done += step) {
            now +=
                std::chrono::duration_cast<Moment::duration>(std::chrono::duration<double>(step));
            view().tick();
        }
    }

    RunViewOptions options;
    std::vector<PlannedJob> jobs;
    Screen screen;
    std::string bytes;
    int writes = 0;
    Moment now = Moment() + std::chrono::hours(1);

private:
    std::unique_ptr<RunView> view_;
};

std::size_t lines_with(const std::string& text, std::string_view part) {
    std::size_t count = 0;
    for (const std::string& line : split(text, '\n'))
        count += line.find(part) != std::string::npos ? 1 : 0;
    return count;
}

}  // namespace

TEST_CASE("a stage at work has one line at the bottom, and an ended one stays above it") {
    Stage run;
    run.add("teacher"), run.add("student");
    run.begin(0), run.begin(1);
    run.pass(0.2);
    for (int i = 1; i <= 50; ++i) {
        run.progress(0, i / 100.0, fmt::format("step {} of 100", i));
        run.metric(0, 3.0 - i / 100.0, i);
        run.pass(0.1);
    }
    std::string text = run.screen.text();
    CHECK(lines_with(text, "teacher") == 1);
    CHECK(lines_with(text, "student") == 1);
    CHECK(text.find("teacher  [=======>       ]   50 %  step 50 of 100  loss 2.5  10 steps/s") ==
          0);
    CHECK(text.find("0 of 2 stages, 5.2 s") != std::string::npos);
    run.done(0);
    run.pass(0.1);
    text = run.screen.text();
    CHECK(text.find("done     teacher in 5.2 s: model\n") == 0);
    CHECK(lines_with(text, "teacher") == 1);
    CHECK(text.find("1 of 2 stages") != std::string::npos);
    run.done(1);
    run.end();
    CHECK(lines_with(run.screen.text(), "of 2 stages") == 0);
    CHECK(run.screen.wraps());
}

TEST_CASE("it is drawn at most ten times a second, and not while nothing has changed") {
    Stage run;
    run.add("one");
    run.begin(0);
    run.pass(10, 0.001);
    CHECK(run.writes <= 101);
    Stage busy;
    for (int i = 0; i < 1000; ++i)
        busy.add(fmt::format("s{}", i));
    for (std::size_t i = 0; i < 1000; ++i) {
        busy.begin(i);
        busy.pass(0.001, 0.001);
        busy.done(i);
    }
    busy.end();
    CHECK(busy.writes <= 12);
    CHECK(lines_with(busy.screen.text(), "done") == 1000);
}

TEST_CASE("a terminal that gets narrower or lower in between keeps no line twice") {
    Stage run(100, 24);
    for (int i = 0; i < 5; ++i)
        run.add(fmt::format("stage-number-{}", i));
    run.view().first_lines("launcher: single process", Launch(), "/runs/a", "/store");
    for (std::size_t i = 0; i < 5; ++i)
        run.begin(i), run.progress(i, 0.5, "a rather long word about what is being done just now");
    run.pass(0.2);
    for (auto [columns, rows] :
         {std::pair(60, 24), {33, 24}, {120, 24}, {47, 12}, {20, 30}, {100, 24}}) {
        run.screen.resize(columns, rows);
        run.pass(0.2);
        CAPTURE(columns);
        CAPTURE(run.screen.text());
        std::string text = run.screen.text();
        CHECK(lines_with(text, "of 5 stages") == 1);
        CHECK(lines_with(text, "0 of 5") == 1);
        CHECK(lines_with(text, columns < 30 ? "stage-..." : "number-3") == (columns < 30 ? 5 : 1));
        CHECK(lines_with(text, "/runs/a") == 1);
    }
    run.done(2);
    run.pass(0.2);
    CHECK(lines_with(run.screen.text(), "number-2") == 1);
    CHECK(lines_with(run.screen.text(), "/store") == 1);
}

TEST_CASE("what the terminal echoes of Ctrl-C is drawn over") {
    Stage run;
    run.add("one"), run.add("two");
    run.begin(0);
    run.pass(0.2);
    run.screen.write("^C");
    run.view().stopping(SIGINT, false);
    CHECK(lines_with(run.screen.text(), "^C") == 0);
    CHECK(lines_with(run.screen.text(), "twice aborts") == 1);
    CHECK(lines_with(run.screen.text(), "one") == 1);
}

TEST_CASE("more stages than the terminal has room for are counted") {
    Stage run(80, 10);
    for (int i = 0; i < 30; ++i)
        run.add(fmt::format("s{}", i));
    for (std::size_t i = 0; i < 30; ++i)
        run.begin(i);
    run.pass(0.3);
    std::string text = run.screen.text();
    CHECK(split(text, '\n').size() <= 10);
    CHECK(text.find("and 24 more") != std::string::npos);
    CHECK(text.find("s5 ") != std::string::npos);
    CHECK(text.find("s6 ") == std::string::npos);
    run.screen.resize(80, 3);
    run.pass(0.2);
    CHECK(run.screen.text().ends_with("and 30 more\n\n"));
}

TEST_CASE("wide characters and marks are cut at the edge, never wrapped") {
    for (int columns : {20, 21, 22, 40, 79}) {
        Stage run(columns, 24);
        run.add("学生モデル蒸留学生モデル蒸留学生モデル蒸留");
        run.begin(0);
        std::string marks;
        for (int i = 0; i < 5000; ++i)
            marks += "e\u0301\u0301\u0301\u0301";
        run.progress(0, 0.3, "進捗進捗進捗進捗進捗進捗進捗進捗進捗進捗進捗" + marks);
        run.pass(0.2);
        CHECK(run.screen.wrapped == 0);
        CHECK(run.bytes.size() < 10000);
        CHECK(split(run.screen.text(), '\n').size() <= 4);
    }
}

TEST_CASE("S13: what stages say draws nothing") {
    Stage run;
    run.options.terminal = false;
    run.options.verbose = 2;
    run.options.log_every = 1;
    run.add("bad\x1b[2Jname\r");
    run.begin(0);
    run.progress(0, 0.1, "\x1b]0;title\a\r\n");
    run.log(0, "warning", "\x1b[31mred\nsecond line \xe2\x80\xae");
    run.log(0, "\x1b[1m", "level");
    run.pass(2);
    StageEnd end;
    end.exit_code = 1;
    end.message = "\x1b[2J\b\b";
    end.host =
        "\x9b"
        "2J";
    run.view().failed(run.ref(0), end, false);
    Outcome outcome;
    outcome.exit_code = 1;
    outcome.stages.push_back({run.ref(0), "failed", "", 1, {}, {}, "", end});
    run.view().last_lines(outcome, "/runs/\x1b[1m");
    CHECK(run.bytes.find_first_of("\x1b\r\b\a\x9b") == std::string::npos);
    CHECK(run.bytes.find("\xe2\x80\xae") == std::string::npos);
    CHECK(run.bytes.find("bad\\x1b[2Jname\\r") != std::string::npos);
}

TEST_CASE("U1: off a terminal there is no escape, no return, and one line in thirty seconds") {
    Stage run;
    run.options.terminal = false;
    run.add("one"), run.add("two");
    run.begin(0), run.begin(1);
    for (int i = 0; i < 120; ++i) {
        run.progress(0, i / 120.0, fmt::format("step {}", i));
        run.progress(1, i / 240.0, fmt::format("step {}", i));
        run.pass(1);
    }
    run.done(0), run.done(1);
    CHECK(run.bytes.find_first_of("\x1b\r") == std::string::npos);
    CHECK(lines_with(run.bytes, "running") == 4);
    CHECK(lines_with(run.bytes, "running  one: ") == 2);
    CHECK(lines_with(run.bytes, "running  two: ") == 2);
    CHECK(lines_with(run.bytes, "start") == 2);
    CHECK(lines_with(run.bytes, "done") == 2);
    CHECK(run.bytes.starts_with("start    one (toy.count)\nstart    two (toy.count)\n"));
    CHECK(run.writes == 8);
}

TEST_CASE("U1: CI, SLURM_JOB_ID, NO_COLOR and TERM=dumb forbid redrawing, as does no terminal") {
    Variable ci("CI", nullptr), slurm("SLURM_JOB_ID", nullptr), no("NO_COLOR", nullptr),
        force("FORCE_COLOR", "1"), term("TERM", "xterm");
    CHECK_FALSE(wants_redraw("never"));
    for (const char* name : {"CI", "SLURM_JOB_ID", "NO_COLOR"}) {
        Variable set(name, "1");
        CHECK_FALSE(wants_redraw(""));
        CHECK_FALSE(colors_view(""));
    }
    Variable dumb("TERM", "dumb");
    CHECK_FALSE(wants_redraw("always"));
    CHECK(colors_view("always"));
}

TEST_CASE("the first lines say where it runs, and how many stages run and are cached") {
    Stage run;
    run.options.terminal = false;
    run.add("one"), run.add("two", StageState::cached), run.add("three", StageState::blocked);
    Launch launch;
    launch.cores = 2;
    run.view().first_lines("launcher: single process, rank 0 of 1", launch, "/runs/a", "/store");
    CHECK(run.bytes ==
          "launch   local, 2 cores, device: cpu\n"
          "         launcher: single process, rank 0 of 1\n"
          "run      /runs/a\n"
          "store    /store\n"
          "stages   1 stage to run, 1 after them, 1 cached\n");
}

TEST_CASE("the last lines say where each result is, and the next command") {
    Stage run;
    run.options.terminal = false;
    run.add("one"), run.add("two");
    run.jobs[0].plan.graph.edges.push_back({0, 1, "model", "model", "checkpoint"});
    run.view();
    run.now += std::chrono::seconds(75);
    Outcome outcome;
    outcome.stages.push_back({run.ref(0), "cached", "", 0, {}, {{"model", "/s/1/model"}}, "", {}});
    outcome.stages.push_back({run.ref(1), "run", "", 1, {}, {{"report", "/s/2/r"}}, "", {}});
    run.view().last_lines(outcome, "/runs/a b");
    CHECK(run.bytes ==
          "finished 1 stage run, 1 cached in 1 min 15 s\n"
          "results  two.report: /s/2/r\n"
          "next     stillroom runs show '/runs/a b'\n");
    run.bytes.clear();
    run.jobs[0].plan.graph.outputs["student"] = {"one", "model", {}};
    run.view().last_lines(outcome, "/runs/a");
    CHECK(run.bytes.find("results  student: /s/1/model\n") != std::string::npos);
    CHECK(run.bytes.find("two.report") == std::string::npos);
}

TEST_CASE("a failure is told with its stage, rank, message and log, and how to go on") {
    Stage run;
    run.options.terminal = false;
    run.add("one"), run.add("two");
    run.begin(0);
    run.pass(3);
    StageEnd end;
    end.exit_code = 7;
    end.rank = 1;
    end.host = "node02";
    end.message = "rank 1 is gone";
    end.log = "/runs/a/logs/one/rank-0001.log";
    run.view().failed(run.ref(0), end, true);
    run.begin(0);
    run.view().failed(run.ref(0), end, false);
    run.view().skipped(run.ref(1), "one failed");
    Outcome outcome;
    outcome.exit_code = 7;
    outcome.stages.push_back({run.ref(0), "failed", "", 1, {}, {}, "", end});
    outcome.stages.push_back({run.ref(1), "skipped", "", 0, {}, {}, "", {}});
    run.view().last_lines(outcome, "/runs/a");
    CHECK(run.bytes ==
          "start    one (toy.count)\n"
          "again    one after 3.0 s, rank 1 on node02: rank 1 is gone\n"
          "start    one (toy.count)\n"
          "failed   one after 0.0 s, rank 1 on node02: rank 1 is gone\n"
          "skipped  two: one failed\n"
          "ended    0 stages run, 0 cached, 1 failed, 1 skipped in 3.0 s\n"
          "log      one failed (exit 7): rank 1 on node02, /runs/a/logs/one/rank-0001.log\n"
          "next     stillroom resume /runs/a\n");
}

TEST_CASE("a stopped run says at which step its checkpoint was saved, quiet or not") {
    for (bool quiet : {false, true}) {
        Stage run;
        run.options.terminal = false;
        run.options.quiet = quiet;
        run.add("healed");
        run.begin(0);
        run.metric(0, 2.5, 400);
        run.view().stopping(SIGUSR1, false);
        Record saved;
        saved.event = "saved";
        run.view().heard(run.ref(0), 0, saved);
        StageEnd end;
        end.exit_code = 75;
        run.view().failed(run.ref(0), end, false);
        Outcome outcome;
        outcome.exit_code = 75;
        outcome.signal = SIGUSR1;
        outcome.saved = true;
        outcome.stages.push_back({run.ref(0), "stopped", "", 1, {}, {}, "", end});
        run.view().last_lines(outcome, "/runs/a");
        std::string text = "stopped by SIGUSR1 at step 400, checkpoint saved\n";
        CHECK(run.bytes.find(text) != std::string::npos);
        CHECK((run.bytes == text) == quiet);
        CHECK((run.bytes.find("stillroom resume /runs/a\n") == std::string::npos) == quiet);
    }
}

TEST_CASE("warnings of a stage are shown, but not without end") {
    Stage run;
    run.options.terminal = false;
    run.add("one");
    run.begin(0);
    for (int i = 0; i < 1000; ++i)
        run.log(0, "warning", "again"), run.log(0, "info", "not asked for");
    CHECK(lines_with(run.bytes, "warning") == 21);
    CHECK(lines_with(run.bytes, "not asked") == 0);
}

TEST_CASE("nothing is drawn while another process group has the terminal") {
    Stage run;
    run.add("one");
    run.options.size = [] { return TerminalSize(); };
    run.begin(0);
    run.pass(1);
    CHECK(run.writes == 0);
    run.done(0);
    run.pass(0.1);
    CHECK(run.bytes == "done     one in 1.0 s: model\n");
}
