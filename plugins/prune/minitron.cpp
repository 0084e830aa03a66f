#include "plugins/prune/minitron.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/prune/calibration.h"
#include "plugins/prune/compute.h"
#include "plugins/prune/layout_of.h"
#include "plugins/prune/request.h"
#include "plugins/prune/search_report.h"
#include "plugins/prune/task.h"

#include <fmt/format.h>

#include <numeric>

namespace stillroom::prune {
namespace fs = std::filesystem;
namespace {

constexpr double kPassMemory = 1.5;  // of the weights: a copy in another order, and a pass

/// What goes on from here knows the shape; which layers stay only where nothing is measured.
void write_skeleton(const ManualRequest& request, lm::ConfigFile config, const fs::path& folder) {
    std::vector<std::int64_t> layers(static_cast<std::size_t>(request.shape.layers));
    std::iota(layers.begin(), layers.end(), 0);
    layers = request.layers.value_or(layers);
    config.express(shaped(config.model(), request.shape, layers), layers);
    write_record_file(folder / "config.json", config.text());
}

void write_report_skeleton(const fs::path& folder,
                           std::string_view mode,
                           const Found& found,
                           const std::vector<Candidate>& candidates) {
    JsonWriter out(1);
    out.begin_object();
    out.key("mode"), out.string(mode);
    if (mode == "search")
        out.key("text"), out.string(search_text(found, candidates));
    write_search(out, found);
    out.key("candidates"), out.begin_array();
    for (const Candidate& candidate : candidates)
        out.begin_object(), write_candidate(out, candidate), out.end_object();
    out.end_array();
    out.end_object();
    write_record_file(folder / "report.json", out.take() + "\n");
}

Cost cost_of(const lm::ConfigFile& config, const Metrics& before, const Metrics& after) {
    std::uint64_t each = config.model().dtype == "float32" ? 4 : 2;
    Cost cost;
    cost.parameters = static_cast<std::uint64_t>(after.params);
    cost.disk_bytes = static_cast<std::uint64_t>(after.params) * each;
    cost.memory_bytes =
        static_cast<std::uint64_t>(kPassMemory * 2.0 * static_cast<double>(before.params));
    return cost;
}

}  // namespace

void Minitron::describe(DescribeContext& context) const {
    std::error_code ignored;
    fs::path file = context.input("model") / "config.json";
    if (!fs::exists(file, ignored))
        return;  // not known before the run
    lm::ConfigFile config = lm::ConfigFile::read(file);
    const lm::ModelConfig& model = config.model();
    checked_layout(wish_of(settings_.parallel), context.ranks(), model, Settings::Key().parallel);
    ShapeCounter counter(model);
    Metrics before = counter.count(shape_of(model));
    if (settings_.shape) {
        ManualRequest request = manual_request(settings_, model);
        write_skeleton(request, config, context.output("model"));
        Metrics after = counter.count(request.shape);
        Found found;
        found.space = found.fit = 1;
        found.smallest = after;
        write_report_skeleton(context.output("report"), "shape", found, {{request.shape, after}});
        context.cost(cost_of(config, before, after));
        return;
    }
    check_task(settings_, context);
    Found found = search_for(settings_, model);
    std::vector<Candidate> candidates = candidates_of(settings_, found);
    if (candidates.size() > 1 && scores_rows(settings_) && !context.has("heldout"))
        check_held_out(context,
                       context.input("calibration"),
                       row_length(context, settings_.sequence, model),
                       settings_.samples,
                       settings_.allow_short);
    write_report_skeleton(context.output("report"), "search", found, candidates);
    context.cost(cost_of(config, before, candidates.front().metrics));
}

void Minitron::run(RunContext& context) {
    STILLROOM_SECOND_HALF("prune_compute", stillroom_prune_minitron)(settings_, context);
}

}  // namespace stillroom::prune
