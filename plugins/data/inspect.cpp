#include "plugins/data/inspect.h"

#include "engine/base/durable.h"
#include "plugins/data/inspection.h"

namespace stillroom::data {
namespace {

struct Stopped {};

}  // namespace

void Inspect::describe(DescribeContext& context) const {
    if (lm::has_dataset_info(context.input("data")))
        lm::read_dataset_info(context.input("data"));
    Cost cost;
    cost.disk_bytes = 0;
    context.cost(cost);
}

void Inspect::run(RunContext& context) try {
    std::optional<lm::Tokenizer> tokenizer;
    if (context.has("tokenizer"))
        tokenizer = lm::Tokenizer::read(context.input("tokenizer"));
    InspectionWatch watch{[&context](double done) {
        context.progress(done, "counting ids");
        if (context.cancelled())
            throw Stopped();
    }};
    Inspection found =
        inspect(context.input("data"), settings_, tokenizer ? &*tokenizer : nullptr, watch);
    std::string text = text_of(found);
    write_record_file(context.output("report") / "report.json", json_of(found));
    write_record_file(context.output("report") / "report.md", text);
    context.text(text);
} catch (const Stopped&) {
}

}  // namespace stillroom::data
