#include "engine/run/journal.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/units.h"
#include "engine/run/signals.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr auto kUnseen = std::chrono::milliseconds(100);
constexpr std::size_t kMostLines = std::size_t{64} << 10;

/// A last line without its end was being written when somebody pulled the plug.
void drop_torn_line(int file) {
    off_t size = ::lseek(file, 0, SEEK_END);
    constexpr off_t kBlock = 4096;
    char block[kBlock];
    off_t end = size;
    while (end > 0) {
        off_t begin = end > kBlock ? end - kBlock : 0;
        ssize_t got = ::pread(file, block, static_cast<std::size_t>(end - begin), begin);
        if (got <= 0)
            return;
        for (ssize_t i = got; i > 0; --i)
            if (block[i - 1] == '\n') {
                if (begin + i != size && ::ftruncate(file, begin + i) != 0)
                    return;
                return;
            }
        end = begin;
    }
    if (size > 0 && ::ftruncate(file, 0) != 0)
        return;
}

void write_value(JsonWriter& out, double value) {
    if (std::isnan(value)) {
        out.null();
        out.key("nan"), out.boolean(true);
    } else {
        out.number(value);
    }
}

}  // namespace

Journal::Journal(const RunFolder& run, const std::vector<PlannedJob>& jobs)
    : run_(run),
      jobs_(jobs) {
    fs::path name = run.path() / "events.jsonl";
    file_ = retried([&] {
        return ::open(name.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
    });
    if (file_ < 0)
        refuse_write(name, errno);
    drop_torn_line(file_);
}

Journal::~Journal() {
    try {
        flush();
    } catch (const Error&) {  // whoever ends in the middle has said why
    }
    ::close(file_);
}

const CheckedStage& Journal::checked(const StageRef& stage) const {
    return jobs_[stage.job].plan.graph.stages[stage.stage];
}

void Journal::event(const char* name,
                    const char* level,
                    const StageRef* stage,
                    const std::function<void(JsonWriter&)>& more) {
    JsonWriter out;
    out.begin_object();
    out.key("ts"), out.string(utc_now());
    out.key("level"), out.string(level);
    out.key("event"), out.string(name);
    if (stage)
        out.key("stage"), out.string(stage->name);
    if (more)
        more(out);
    out.end_object();
    lines_.append(out.take()).push_back('\n');
    if (lines_.size() >= kMostLines)
        flush();
}

void Journal::flush() {
    std::string lines = std::exchange(lines_, {});
    std::string_view rest = lines;
    while (!rest.empty()) {
        ssize_t wrote = retried([&] { return ::write(file_, rest.data(), rest.size()); });
        if (wrote < 0)
            refuse_write(run_.path() / "events.jsonl", errno);
        rest.remove_prefix(static_cast<std::size_t>(wrote));
    }
}

void Journal::run_began(std::size_t stages) {
    event("run_began", "info", nullptr, [&](JsonWriter& out) {
        out.key("pid"), out.integer(::getpid());
        out.key("stages"), out.integer(static_cast<std::int64_t>(stages));
    });
    flush();
}

void Journal::run_ended(int exit_code) {
    event("run_ended", exit_code == 0 ? "info" : "error", nullptr, [&](JsonWriter& out) {
        out.key("exit"), out.integer(exit_code);
    });
    flush();
}

void Journal::write_stage(const StageRef& stage,
                          const PlannedStage& planned,
                          const char* status,
                          int exit_code,
                          const std::string& message,
                          const std::map<std::string, std::string>& outputs,
                          const std::map<std::string, fs::path>& paths) {
    JsonWriter out(2);
    out.begin_object();
    out.key("name"), out.string(stage.name);
    out.key("use"), out.string(checked(stage).use);
    out.key("key"), planned.key.empty() ? out.null() : out.string(planned.key);
    out.key("inputs"), out.begin_object();
    for (const auto& [port, digests] : planned.parts.inputs) {
        out.key(port);
        if (digests.size() == 1) {
            out.string(digests.front());
            continue;
        }
        out.begin_array();
        for (const std::string& digest : digests)
            out.string(digest);
        out.end_array();
    }
    for (const auto& [setting, digest] : planned.parts.outside)
        out.key(setting), out.string(digest);
    out.end_object();
    out.key("outputs"), out.begin_object();
    for (const auto& [name, digest] : outputs) {
        out.key(name), out.begin_object();
        auto path = paths.find(name);
        out.key("path"), out.string(path == paths.end() ? "" : path->second.string());
        out.key("digest"), out.string(digest);
        out.end_object();
    }
    out.end_object();
    out.key("status"), out.string(status);
    auto began = began_.find(stage.name);
    out.key("started"), began == began_.end() ? out.null() : out.string(began->second.at);
    bool runs = std::strcmp(status, "running") == 0;
    out.key("ended"), runs ? out.null() : out.string(utc_now());
    out.key("exit"), out.integer(exit_code);
    if (!message.empty())
        out.key("message"), out.string(message);
    out.end_object();
    std::string text = out.take() + "\n";
    if (began != began_.end() && !began->second.is_written)
        write_new_record_file(run_.stage(stage.name) / "stage.json", text);
    else
        run_.write("stages/" + stage.name + "/stage.json", text);
}

/// What keeps the entry from `store gc`. A stage that only wrote elsewhere is kept by its manifest.
void Journal::pin(const StageRef& stage,
                  const std::string& key,
                  const std::map<std::string, fs::path>& paths) {
    for (const auto& [name, path] : paths)
        run_.link(stage.name, name, path);
    if (paths.empty() && !key.empty())
        run_.link(stage.name, "manifest.json", run_.request().store / key / "manifest.json");
}

void Journal::cached(const StageRef& stage, const PlannedStage& planned) {
    pin(stage, planned.key, planned.paths);
    run_.unlink(stage.name, "work");
    write_stage(stage, planned, "cached", 0, "", planned.outputs, planned.paths);
    event("stage_cached", "info", &stage, [&](JsonWriter& out) {
        out.key("key"), out.string(planned.key);
        if (!planned.machine.empty() && planned.machine != run_.request().machine)
            out.key("machine"), out.string(planned.machine);
    });
}

void Journal::reads(const StageRef& stage, const std::vector<fs::path>& paths) {
    event("source_hashing", "info", &stage, [&](JsonWriter& out) {
        out.key("files"), out.integer(static_cast<std::int64_t>(paths.size()));
    });
}

void Journal::waits(const StageRef& stage, const std::string& holder) {
    event("stage_waiting", "info", &stage, [&](JsonWriter& out) {
        out.key("holder"), out.string(holder);
    });
}

void Journal::begins(const StageRef& stage, const PlannedStage& planned, const Job& job) {
    bool is_new = run_.make_stage(stage.name);
    began_[stage.name] = {
        stage, utc_now(), job.work.parent_path(), std::chrono::steady_clock::now(), !is_new};
    event("stage_began", "info", &stage, [&](JsonWriter& out) {
        out.key("key"), out.string(planned.key);
        out.key("reason"), out.string(planned.reason);
        out.key("ranks"), out.integer(job.ranks);
        out.key("threads"), out.integer(job.threads);
        out.key("try"), out.integer(job.try_number);
        out.key("saved_work"), out.boolean(has_saved_work(job));
    });
}

void Journal::heard(const StageRef& stage, int rank, const Record& record) {
    if (record.event == "metric" && rank == 0)
        event("metric", "info", &stage, [&](JsonWriter& out) {
            out.key("step"), out.integer(record.step);
            out.key("name"), out.string(record.name);
            out.key("value"), write_value(out, record.value);
        });
    else if (record.event == "log" && (record.name == "warning" || record.name == "error"))
        event("log", record.name == "error" ? "error" : "warning", &stage, [&](JsonWriter& out) {
            out.key("rank"), out.integer(rank);
            out.key("text"), out.string(record.text);
        });
}

void Journal::ended(const StageRef& stage, const PlannedStage& planned, const Made& made) {
    pin(stage, made.key, made.paths);
    if (began_[stage.name].is_linked)
        run_.unlink(stage.name, "work");
    int exit_code = made.gate.empty() ? 0 : kExitGate;
    write_stage(stage,
                planned,
                made.gate.empty() ? "done" : "failed",
                exit_code,
                made.gate,
                made.outputs,
                made.paths);
    began_.erase(stage.name);
    event("stage_ended", "info", &stage, [&](JsonWriter& out) {
        out.key("key"), made.key.empty() ? out.null() : out.string(made.key);
        out.key("seconds"), out.number(made.seconds);
    });
}

void Journal::failed(const StageRef& stage, const StageEnd& end, bool another_try) {
    const PlannedStage& planned = jobs_[stage.job].plan.stages[stage.stage];
    if (auto began = began_.find(stage.name); began != began_.end())
        link_work(began->second);
    if (end.exit_code != kExitGate)
        write_stage(stage,
                    planned,
                    end.exit_code == kExitStopped ? "stopped" : "failed",
                    end.exit_code,
                    end.message,
                    {},
                    {});
    began_.erase(stage.name);
    event("stage_failed", another_try ? "warning" : "error", &stage, [&](JsonWriter& out) {
        out.key("exit"), out.integer(end.exit_code);
        out.key("message"), out.string(end.message);
        out.key("rank"), out.integer(end.rank);
        if (!end.host.empty())
            out.key("host"), out.string(end.host);
        if (!end.log.empty())
            out.key("log"), out.string(end.log.string());
        out.key("another_try"), out.boolean(another_try);
    });
}

void Journal::skipped(const StageRef& stage, const std::string& reason) {
    event("stage_skipped", "info", &stage, [&](JsonWriter& out) {
        out.key("reason"), out.string(reason);
    });
}

void Journal::tick() {
    flush();
    auto now = std::chrono::steady_clock::now();
    for (auto& [name, began] : began_)
        if (!began.is_written && now - began.moment >= kUnseen) {
            const StageRef& stage = began.stage;
            const PlannedStage& planned = jobs_[stage.job].plan.stages[stage.stage];
            link_work(began);
            write_stage(stage, planned, "running", 0, "", {}, {});
            began.is_written = true;
        }
}

/// What keeps unfinished work from `store gc`.
void Journal::link_work(Began& began) {
    run_.link(began.stage.name, "work", began.work);
    began.is_linked = true;
}

void Journal::stopping(int signal, bool at_once) {
    event("stopping", "warning", nullptr, [&](JsonWriter& out) {
        out.key("signal"), out.string(signal_name(signal));
        out.key("at_once"), out.boolean(at_once);
    });
}

}  // namespace stillroom
