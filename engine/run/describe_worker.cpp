#include "engine/run/describe_worker.h"

#include "engine/base/durable.h"
#include "engine/base/json.h"
#include "engine/plugin/loader.h"
#include "engine/run/describe_job.h"
#include "engine/run/failure.h"
#include "engine/run/lifeline.h"
#include "engine/run/run_context.h"

#include <fmt/format.h>

#include <cstdlib>
#include <set>
#include <string_view>
#include <unordered_map>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr double kBeat = 2;

using StageIndex = std::unordered_map<std::string_view, std::size_t>;

/// What a stage sees before anything runs. A skeleton's folder is made when somebody asks for it:
/// most stages of a large recipe leave none.
class PlanningContext final : public DescribeContext {
public:
    PlanningContext(const DescribeJob& job,
                    const StageIndex& numbers,
                    std::size_t stage,
                    RecordWriter& records)
        : job_(job),
          numbers_(numbers),
          index_(stage),
          stage_(job.stages[stage]),
          records_(records) {
        for (const auto& [port, inputs] : stage_.inputs)
            for (const DescribeInput& input : inputs)
                inputs_[port].push_back(folder_of(input));
    }

    bool has(std::string_view port) const override { return !inputs(port).empty(); }
    fs::path input(std::string_view port) const override { return one_input(inputs_, port); }
    std::vector<fs::path> inputs(std::string_view port) const override {
        auto found = inputs_.find(std::string(port));
        return found == inputs_.end() ? std::vector<fs::path>() : found->second;
    }
    fs::path output(std::string_view name) const override {
        for (const std::string& output : stage_.outputs)
            if (output == name)
                return made(skeleton_folder(job_, index_, output));
        throw Error({}, fmt::format("the stage has no output '{}'", name)).exit_code(kExitInternal);
    }
    bool given(std::string_view setting) const override { return was_given(stage_.given, setting); }
    bool offline() const override { return job_.offline; }
    int ranks() const override { return stage_.ranks; }
    void log(LogLevel level, std::string_view text) override {
        Record out = record("log");
        out.name = level_name(level);
        out.text = text;
        records_.write(out);
    }
    void cost(const Cost& cost) override {
        Record out = record("cost");
        auto add = [&](const char* name, const auto& value) {
            if (value)
                out.numbers[name] = static_cast<double>(*value);
        };
        add("seconds", cost.seconds);
        add("memory_bytes", cost.memory_bytes);
        add("disk_bytes", cost.disk_bytes);
        add("flops", cost.flops);
        add("parameters", cost.parameters);
        records_.write(out);
    }

    void done() { records_.write(record("described")); }

private:
    Record record(const char* event) const {
        Record out;
        out.event = event;
        out.stage = stage_.name;
        return out;
    }

    fs::path folder_of(const DescribeInput& input) const {
        if (input.stage.empty())
            return input.path;
        auto number = numbers_.find(input.stage);
        if (number != numbers_.end() && number->second < index_)
            return made(skeleton_folder(job_, number->second, input.output));
        throw Error({}, fmt::format("'{}' does not stand before it", input.stage))
            .exit_code(kExitInternal);
    }

    static fs::path made(fs::path folder) {
        make_folders(folder);
        return folder;
    }

    const DescribeJob& job_;
    const StageIndex& numbers_;
    std::size_t index_;
    const DescribeStage& stage_;
    RecordWriter& records_;
    std::map<std::string, std::vector<fs::path>> inputs_;
};

/// Whether something that it takes is not known.
bool stands_on(const DescribeStage& stage, const std::set<std::string>& refused) {
    for (const auto& [port, inputs] : stage.inputs)
        for (const DescribeInput& input : inputs)
            if (refused.contains(input.stage))
                return true;
    return false;
}

void describe(const DescribeJob& job,
              const StageIndex& numbers,
              std::size_t index,
              Plugins& plugins,
              RecordWriter& records) {
    const DescribeStage& stage = job.stages[index];
    PlanningContext context(job, numbers, index, records);
    JsonWriter settings;
    write_json(settings, *stage.settings);
    plugins.of_stage(stage.use).make_stage(stage.use, settings.text())->describe(context);
    context.done();
}

}  // namespace

int describe_stages(const fs::path& file) {
    DescribeJob job = read_describe_job(file);
    ::setenv("OMP_NUM_THREADS", std::to_string(job.threads).c_str(), 1);
    RecordWriter records(job.records);
    Pulse pulse(records, {}, kBeat, [] {});
    Plugins plugins(job.plugins);
    StageIndex numbers;
    for (std::size_t i = 0; i < job.stages.size(); ++i)
        numbers.emplace(job.stages[i].name, i);
    std::set<std::string> refused;
    for (std::size_t i = 0; i < job.stages.size(); ++i) {
        const DescribeStage& stage = job.stages[i];
        if (stands_on(stage, refused)) {
            refused.insert(stage.name);
            continue;
        }
        try {
            describe(job, numbers, i, plugins, records);
        } catch (...) {
            refused.insert(stage.name);
            Record result = failed_result(std::current_exception());
            result.stage = stage.name;
            records.write(result);
        }
    }
    pulse.stop();
    return kExitOk;
}

}  // namespace stillroom
