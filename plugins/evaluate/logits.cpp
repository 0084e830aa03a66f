#include "plugins/evaluate/logits.h"

#include "plugins/evaluate/compute.h"
#include "plugins/evaluate/cost.h"

#include <fmt/format.h>

namespace stillroom::evaluate {
namespace {

/// Rows of different lengths have no common shape, and an id that the model lacks no meaning.
void check_ids(const StageContext& context,
               const LogitsSettings& settings,
               std::optional<std::int64_t> vocab) {
    if (!settings.ids)
        return;
    LogitsSettings::Key key;
    for (std::size_t row = 0; row < settings.ids->size(); ++row) {
        const std::vector<std::int64_t>& ids = (*settings.ids)[row];
        if (ids.size() != settings.ids->front().size())
            context.refuse(key.ids[row],
                           fmt::format("row {} has {} ids, the first one {}",
                                       row + 1,
                                       ids.size(),
                                       settings.ids->front().size()),
                           "rows of one length make one tensor; ask in several stages");
        for (std::int64_t id : ids)
            if (vocab && id >= *vocab)
                context.refuse(key.ids[row],
                               fmt::format("the model has no id {}: it has {} rows", id, *vocab),
                               "ids are counted from 0");
    }
}

}  // namespace

void Logits::describe(DescribeContext& context) const {
    std::optional<lm::ModelConfig> config = config_of(context);
    check_ids(context, settings_, config ? std::optional(config->vocab) : std::nullopt);
    if (!config || !settings_.ids)
        return;
    auto tokens = static_cast<double>(settings_.ids->size() * settings_.ids->front().size());
    Cost cost = cost_of(*config, tokens, word(settings_.dtype));
    cost.disk_bytes =
        static_cast<std::uint64_t>(tokens) * static_cast<std::uint64_t>(config->vocab) * 4;
    context.cost(cost);
}

void Logits::run(RunContext& context) {
    check_ids(context, settings_, config_of(context)->vocab);
    STILLROOM_SECOND_HALF("evaluate_compute", stillroom_evaluate_logits)(settings_, context);
}

}  // namespace stillroom::evaluate
