#include "engine/run/describe_runner.h"

#include "engine/base/durable.h"
#include "engine/base/json.h"
#include "engine/base/scratch_folder.h"
#include "engine/document/document.h"
#include "engine/run/describe_job.h"
#include "engine/run/process_stage.h"

#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <unordered_map>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLargestSkeletonFile = std::size_t{16} << 20;
constexpr auto kLook = std::chrono::milliseconds(200);

constexpr std::string_view kFolderName = "stillroom-plan-";
constexpr auto kSurelyOver = std::chrono::hours(1);  // no planning takes so long

/// Removes what engines that were killed while they planned left here.
void sweep_temporary_folders(const fs::path& place) {
    for (const std::string& name : list_folder(place)) {
        if (!name.starts_with(kFolderName))
            continue;
        int pid = std::atoi(name.c_str() + kFolderName.size());
        struct stat status {};
        bool ours = ::lstat((place / name).c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
                    status.st_uid == ::geteuid();
        auto age = std::chrono::seconds(std::time(nullptr) - status.st_mtime);
        if (!ours || pid <= 0 || age < kSurelyOver || ::kill(pid, 0) == 0 || errno != ESRCH)
            continue;
        std::error_code ignored;
        fs::remove_all(place / name, ignored);
    }
}

/// Where this process's own begin.
fs::path planning_folder() {
    fs::path place = fs::temp_directory_path();
    sweep_temporary_folders(place);
    return place / fmt::format("{}{}-", kFolderName, ::getpid());
}

/// A small JSON file of a skeleton; nothing if it is none.
NodePtr json_of(const fs::path& file) {
    std::string text;
    try {
        text = read_file(file, kLargestSkeletonFile);
    } catch (const Error&) {
        return {};
    }
    Sources sources;
    Diagnostics diagnostics;
    Limits limits;
    limits.file_bytes = kLargestSkeletonFile;
    limits.nodes = 1'000'000;
    Document document = read_json(sources.add(file.string(), text), limits, diagnostics);
    return diagnostics.ok() ? document.root : NodePtr();
}

/// {output: {file: content}} of what the stage's skeletons hold. What a report says already stands
/// beside the outputs too.
std::string skeletons_of(const DescribeJob& job, std::size_t stage) {
    JsonWriter out;
    out.begin_object();
    NodePtr report;
    for (const std::string& output : job.stages[stage].outputs) {
        out.key(output);
        out.begin_object();
        fs::path folder = skeleton_folder(job, stage, output);
        for (const std::string& name : list_folder(folder)) {
            std::error_code ignored;
            bool linked = fs::is_symlink(folder / name, ignored);  // what lies elsewhere already
            NodePtr json = name.ends_with(".json") && !linked ? json_of(folder / name) : NodePtr();
            if (!json)
                continue;
            out.key(name);
            write_json(out, *json);
            if (name == "report.json" && json->is_map())
                report = json;
        }
        out.end_object();
    }
    const std::vector<std::string>& outputs = job.stages[stage].outputs;
    if (report)
        for (const Entry& entry : report->entries)
            if (std::find(outputs.begin(), outputs.end(), entry.key) == outputs.end()) {
                out.key(entry.key);
                write_json(out, *entry.value);
            }
    out.end_object();
    return out.take();
}

Refusal refusal_of(const Record& result) {
    return {result.text, result.key, result.hint, result.list, result.exit_code};
}

/// How the worker itself failed, as an answer of the stage it was at.
Refusal refusal_of(const StageEnd& end) {
    return {end.message, {}, end.hint, end.notes, end.exit_code};
}

class Asking {
public:
    Asking(const DescribeOptions& options, const std::vector<DescribeStage>& stages)
        : options_(options) {
        job_.folder = folder_.path();
        job_.records = folder_.path() / "records";
        job_.plugins = options.plugins;
        job_.threads = options.threads;
        job_.offline = options.offline;
        job_.stages = stages;
    }

    std::vector<DescribeAnswer> ask();

private:
    void hear(const Record& record);
    DescribeAnswer* answer_of(const std::string& stage);
    void blame(const RankFacts& facts);

    const DescribeOptions& options_;
    ScratchFolder folder_{planning_folder()};
    DescribeJob job_;
    std::vector<DescribeAnswer> answers_;
    std::unordered_map<std::string, std::size_t> index_;  ///< of answers_, by stage
    std::map<std::string, std::map<std::string, double>> costs_;
};

DescribeAnswer* Asking::answer_of(const std::string& stage) {
    auto found = index_.find(stage);
    return found == index_.end() ? nullptr : &answers_[found->second];
}

void Asking::hear(const Record& record) {
    DescribeAnswer* answer = answer_of(record.stage);
    if (!answer)
        return;
    if (record.event == "cost") {
        for (const auto& [name, value] : record.numbers)
            costs_[record.stage][name] = value;
    } else if (record.event == "described") {
        auto index = static_cast<std::size_t>(answer - answers_.data());
        answer->description = Description{costs_[record.stage], skeletons_of(job_, index)};
    } else if (record.event == "result") {
        answer->refusal = refusal_of(record);
    }
}

/// The worker is gone before its time: the stage that it was at is to blame.
void Asking::blame(const RankFacts& facts) {
    for (std::size_t i = 0; i < answers_.size(); ++i) {
        DescribeAnswer& answer = answers_[i];
        if (answer.description || answer.refusal)
            continue;
        bool stands_on_refused = false;
        for (const auto& [port, inputs] : job_.stages[i].inputs)
            for (const DescribeInput& input : inputs)
                if (const DescribeAnswer* other = answer_of(input.stage))
                    stands_on_refused = stands_on_refused || !other->description;
        if (stands_on_refused)
            continue;
        StageEnd end = decide_end(answer.stage, {facts});
        answer.refusal = refusal_of(end);
        return;
    }
}

std::vector<DescribeAnswer> Asking::ask() {
    for (const DescribeStage& stage : job_.stages) {
        index_.emplace(stage.name, answers_.size());
        answers_.push_back({stage.name, std::nullopt, std::nullopt});
    }
    fs::path file = folder_.path() / "request.json";
    write_record_file(file, describe_job_text(job_));
    fs::path output = folder_.path() / "out";
    Child worker({options_.program.native(),
                  "worker",
                  "--describe",
                  file.native(),
                  "--parent",
                  std::to_string(::getpid())},
                 output);
    RecordFollower records(job_.records);
    RankFacts facts;
    auto heard = std::chrono::steady_clock::now();
    bool gone = false;
    while (!gone) {
        wait_for_any({worker.descriptor()}, kLook);
        gone = worker.poll().has_value();
        auto now = std::chrono::steady_clock::now();
        for (const Record& record : records.poll()) {
            heard = now;
            facts.started = true;
            hear(record);
        }
        if (std::chrono::duration<double>(now - heard).count() > options_.timeout && !gone) {
            facts.silent = options_.timeout;
            worker.kill();
        }
    }
    facts.exit = worker.ended();
    facts.last_words = last_lines(output, 0);
    if (facts.exit->status != 0 || facts.exit->signal != 0)
        blame(facts);
    return std::move(answers_);
}

}  // namespace

Describer make_describer(DescribeOptions options) {
    return [options = std::move(options)](const std::vector<DescribeStage>& stages) {
        if (stages.empty())
            return std::vector<DescribeAnswer>();
        return Asking(options, stages).ask();
    };
}

}  // namespace stillroom
