#include "plugins/data/blend.h"

#include "engine/base/durable.h"
#include "engine/base/text.h"
#include "plugins/data/blending.h"

#include <fmt/format.h>

#include <set>

namespace stillroom::data {
namespace fs = std::filesystem;
namespace {

void check_weights(const BlendSettings& settings, std::size_t inputs, const StageContext& context) {
    if (settings.weights && settings.weights->size() != inputs)
        context.refuse(
            BlendSettings::Key().weights,
            fmt::format(
                "{} for {}", plural(settings.weights->size(), "weight"), plural(inputs, "dataset")),
            "give each dataset one, in their order, or none at all");
}

std::vector<BlendInput> inputs_of(const StageContext& context) {
    std::vector<BlendInput> inputs;
    for (const fs::path& folder : context.inputs("data"))
        inputs.push_back({lm::read_dataset_info(folder), folder});
    return inputs;
}

lm::DatasetInfo blended(const BlendSettings& settings, const std::vector<BlendInput>& inputs) {
    return blend(inputs, settings.weights.value_or(std::vector<double>()));
}

void warn_of_repeated(const lm::DatasetInfo& info, StageContext& context) {
    std::set<fs::path> seen;
    for (const lm::DatasetPart& part : info.parts)
        if (!seen.insert(fs::canonical(part.prefix.native() + ".bin")).second)
            context.log(LogLevel::warning,
                        fmt::format("{} is in the blend twice", part.prefix.string()));
}

}  // namespace

void Blend::describe(DescribeContext& context) const {
    check_weights(settings_, context.inputs("data").size(), context);
    for (const fs::path& folder : context.inputs("data"))
        if (!lm::has_dataset_info(folder))
            return;  // not known before the run
    std::vector<BlendInput> inputs = inputs_of(context);
    lm::DatasetInfo info = blended(settings_, inputs);
    name_parts(info);
    lm::write_dataset_info(context.output("data"), info);
    Cost cost;
    cost.disk_bytes = 0;
    context.cost(cost);
}

void Blend::run(RunContext& context) {
    std::vector<BlendInput> inputs = inputs_of(context);
    for (const BlendInput& input : inputs)
        lm::open_dataset(input.folder);  // a blend of what cannot be read is none
    lm::DatasetInfo info = blended(settings_, inputs);
    warn_of_repeated(info, context);
    fs::path out = context.output("data");
    link_parts(info, out);
    lm::write_dataset_info(out, info);
    write_record_file(out / "data_blend.txt", blend_text_of(info));
}

}  // namespace stillroom::data
