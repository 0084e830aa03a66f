#include "plugins/prune/importance.h"

#include "engine/base/error.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/weights/counts.h"
#include "plugins/prune/calibration.h"
#include "plugins/prune/compute.h"
#include "plugins/prune/layout_of.h"
#include "plugins/prune/request.h"

#include <algorithm>

namespace stillroom::prune {
namespace fs = std::filesystem;

void Importance::describe(DescribeContext& context) const {
    if (settings_.hooks)
        hparams_of(*settings_.hooks, Settings::Key().hooks);
    std::error_code ignored;
    fs::path file = context.input("model") / "config.json";
    if (!fs::exists(file, ignored))
        return;  // not known before the run
    lm::ModelConfig model = lm::ConfigFile::read(file).model();
    checked_layout(wish_of(settings_.parallel), context.ranks(), model, Settings::Key().parallel);
    const std::int64_t length = row_length(context, settings_.sequence, model);
    check_samples(
        context, context.input("calibration"), length, settings_.samples, settings_.allow_short);
    // The least it can work in: layers are taken in one after the other where they do not all fit.
    lm::Counts counts = lm::count(lm::weight_table(model));
    auto each = static_cast<std::uint64_t>(model.layers.size());
    Cost cost;
    cost.parameters = static_cast<std::uint64_t>(counts.total);
    cost.memory_bytes =
        4 * (static_cast<std::uint64_t>(counts.embedding) +
             2 * static_cast<std::uint64_t>(counts.total - counts.embedding) / each);
    std::int64_t rows = settings_.samples;
    if (fs::path data = context.input("calibration"); lm::has_dataset_info(data))
        rows = std::min(
            rows, lm::count_rows(lm::read_dataset_info(data), length, true).most.value_or(rows));
    cost.flops = 2.0 * static_cast<double>(counts.active - counts.embedding) *
                 static_cast<double>(rows) * static_cast<double>(length);
    cost.disk_bytes = std::uint64_t{12} * static_cast<std::uint64_t>(model.hidden) * 3 * each;
    context.cost(cost);
}

void Importance::run(RunContext& context) {
    STILLROOM_SECOND_HALF("prune_compute", stillroom_prune_importance)(settings_, context);
}

}  // namespace stillroom::prune
