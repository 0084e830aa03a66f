#include "plugins/evaluate/perplexity.h"

#include "engine/plugin/gate.h"
#include "plugins/evaluate/compute.h"
#include "plugins/evaluate/cost.h"

#include <fmt/format.h>

#include <array>

namespace stillroom::evaluate {
namespace {

const std::array<std::string, 6> kNumbers = {
    "perplexity", "nll", "bits_per_byte", "standard_error", "tokens", "bytes"};

}  // namespace

void Perplexity::describe(DescribeContext& context) const {
    if (settings_.stride && *settings_.stride > settings_.length)
        context.refuse(Settings::Key().stride,
                       fmt::format("a stride of {} tokens leaves out some: a window has {}",
                                   *settings_.stride,
                                   settings_.length),
                       "make it at most the length");
    refuse_wrong_gates(context, gates_of(settings_.gate), kNumbers);
    std::optional<lm::ModelConfig> config = config_of(context);
    if (!config)
        return;
    if (config->max_positions > 0 && settings_.length > config->max_positions)
        context.log(LogLevel::warning,
                    fmt::format("windows of {} tokens, but the model knows {} positions",
                                settings_.length,
                                config->max_positions));
    if (settings_.max_windows)
        context.cost(cost_of(
            *config,
            static_cast<double>(*settings_.max_windows) * static_cast<double>(settings_.length),
            word(settings_.dtype)));
}

void Perplexity::run(RunContext& context) {
    STILLROOM_SECOND_HALF("evaluate_compute", stillroom_evaluate_perplexity)(settings_, context);
}

}  // namespace stillroom::evaluate
