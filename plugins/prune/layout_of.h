#pragma once

#include "plugins/lm/parallel/layout.h"

#include <string_view>
#include <variant>

namespace stillroom::prune {

/// The `parallel` of a stage's settings.
template <class Parallel>
lm::LayoutWish wish_of(const Parallel& parallel) {
    lm::LayoutWish wish{.tensor = parallel.tensor,
                        .pipeline = parallel.pipeline,
                        .first_layers = parallel.num_layers_in_first_pipeline_stage,
                        .last_layers = parallel.num_layers_in_last_pipeline_stage};
    if (const auto* data = std::get_if<std::int64_t>(&parallel.data))
        wish.data = *data;
    return wish;
}

/// How so many ranks share a model. Throws Error (exit 2) with all that does not divide; `key` is
/// the setting's.
lm::Layout checked_layout(const lm::LayoutWish& wish,
                          std::int64_t world,
                          const lm::ModelConfig& model,
                          std::string_view key);

}  // namespace stillroom::prune
