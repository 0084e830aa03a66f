#include "plugins/evaluate/tasks.h"

#include "engine/plugin/gate.h"
#include "plugins/evaluate/compute.h"
#include "plugins/evaluate/cost.h"

#include <fmt/format.h>

namespace stillroom::evaluate {

void Tasks::describe(DescribeContext& context) const {
    refuse_wrong_gates(context, gates_of(settings_.gate), std::vector<std::string>{"tasks."});
    for (const auto& [name, task] : settings_.tasks)
        if (task.few_shot > 0 && !task.examples)
            context.refuse(
                Settings::Key().tasks[name].few_shot,
                fmt::format("{} examples before each question, and none are named", task.few_shot),
                fmt::format("tasks.{}.examples=FILE names solved questions", name));
    if (std::optional<lm::ModelConfig> config = config_of(context))
        context.cost(cost_of(*config, 0, word(settings_.dtype)));
}

void Tasks::run(RunContext& context) {
    STILLROOM_SECOND_HALF("evaluate_compute", stillroom_evaluate_tasks)(settings_, context);
}

}  // namespace stillroom::evaluate
