#include "plugins/checkpoint/inspect.h"

#include "engine/base/durable.h"
#include "plugins/checkpoint/inspection.h"
#include "plugins/checkpoint/stop.h"

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

std::string runtime_of(const InspectSettings& settings) {
    return settings.runtime ? std::string(word(*settings.runtime)) : std::string();
}

}  // namespace

void Inspect::describe(DescribeContext& context) const {
    fs::path model = context.input("model");
    std::error_code ignored;
    if (!fs::exists(model / "config.json", ignored))
        return;  // not known before the run
    Inspection found = inspect(model, {});
    write_record_file(context.output("report") / "report.json",
                      json_of(found, runtime_of(settings_)));
    Cost cost;
    cost.parameters = static_cast<std::uint64_t>(found.counts.total);
    cost.disk_bytes = 0;
    context.cost(cost);
}

void Inspect::run(RunContext& context) try {
    InspectOptions options;
    options.list_tensors = settings_.list_tensors;
    options.statistics = settings_.statistics;
    options.threads = static_cast<unsigned>(context.threads());
    options.progress = watched(context, "reading the weights", 0, 1).progress;
    Inspection found = inspect(context.input("model"), options);
    std::string text = text_of(found, runtime_of(settings_));
    fs::path report = context.output("report");
    write_record_file(report / "report.json", json_of(found, runtime_of(settings_)));
    write_record_file(report / "report.md", text);
    context.text(text);
} catch (const Stopped&) {
}

}  // namespace stillroom::checkpoint
