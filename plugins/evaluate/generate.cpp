#include "plugins/evaluate/generate.h"

#include "plugins/evaluate/compute.h"
#include "plugins/evaluate/cost.h"

namespace stillroom::evaluate {

void Generate::describe(DescribeContext& context) const {
    if (std::optional<lm::ModelConfig> config = config_of(context))
        context.cost(
            cost_of(*config, static_cast<double>(settings_.max_tokens), word(settings_.dtype)));
}

void Generate::run(RunContext& context) {
    STILLROOM_SECOND_HALF("evaluate_compute", stillroom_evaluate_generate)(settings_, context);
}

}  // namespace stillroom::evaluate
