#include "plugins/checkpoint/compare.h"

#include "engine/base/durable.h"
#include "plugins/checkpoint/comparison.h"
#include "plugins/checkpoint/stop.h"

namespace stillroom::checkpoint {

void Compare::run(RunContext& context) try {
    Comparison found = compare(context.input("model"),
                               context.input("other"),
                               static_cast<unsigned>(context.threads()),
                               watched(context, "comparing", 0, 1).progress);
    std::string text = text_of(found, settings_.list_tensors);
    std::filesystem::path report = context.output("report");
    write_record_file(report / "report.json", json_of(found));
    write_record_file(report / "report.md", text);
    context.text(text);
} catch (const Stopped&) {
}

}  // namespace stillroom::checkpoint
