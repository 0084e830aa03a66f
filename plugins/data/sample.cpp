#include "plugins/data/sample.h"

#include "plugins/data/compute.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/data/dataset_folder.h"
#include "plugins/lm/weights/counts.h"
#include "plugins/lm/weights/weight_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::data {
namespace fs = std::filesystem;

std::uint64_t Sample::cache_bytes(const lm::ModelConfig& config) const {
    std::int64_t token = 0;  // its keys and values
    for (const lm::Layer& layer : config.layers)
        if (layer.attention)
            token += 2 * layer.attention->kv_heads * layer.attention->head_dim;
    std::int64_t texts = std::min(settings_.batch, settings_.documents.value_or(settings_.batch));
    return static_cast<std::uint64_t>(texts * settings_.max_length * token) * 4;
}

void Sample::describe(DescribeContext& context) const {
    fs::path file = context.input("model") / "config.json";
    std::error_code ignored;
    if (!fs::exists(file, ignored))
        return;
    lm::ModelConfig config = lm::ConfigFile::read(file).model();
    if (config.max_positions > 0 && settings_.max_length > config.max_positions)
        context.refuse(Settings::Key().max_length,
                       fmt::format("texts of {} tokens, but the model knows {} positions",
                                   settings_.max_length,
                                   config.max_positions),
                       "make them shorter");
    // At the most: how long each becomes is the model's to say.
    std::int64_t most = settings_.documents ? *settings_.documents * settings_.max_length
                                            : *settings_.tokens + settings_.max_length;
    lm::DatasetInfo info;
    lm::Count documents =
        settings_.documents ? lm::Count::exactly(*settings_.documents) : lm::Count{1, std::nullopt};
    info.parts.push_back(
        {"text_document", "text", {}, documents, {settings_.tokens.value_or(0), std::nullopt}});
    info.vocabulary = config.vocab;
    info.source = {"sampled"};
    lm::write_dataset_info(context.output("data"), info);

    lm::Counts counts = lm::count(lm::weight_table(config));
    Cost cost;
    cost.parameters = static_cast<std::uint64_t>(counts.total);
    cost.flops = 2 * static_cast<double>(counts.active) * static_cast<double>(most);
    cost.memory_bytes = static_cast<std::uint64_t>(counts.total) * 4 + cache_bytes(config);
    cost.disk_bytes = static_cast<std::uint64_t>(most) * 8;
    context.cost(cost);
}

void Sample::run(RunContext& context) {
    STILLROOM_SECOND_HALF("data_compute", stillroom_data_sample)(settings_, context);
}

}  // namespace stillroom::data
