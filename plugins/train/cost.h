#pragma once

#include "engine/plugin/stage.h"
#include "plugins/lm/config/model_config.h"
#include "plugins/train/training.h"

#include <cstdint>
#include <optional>
#include <string>

namespace stillroom::train {

/// Memory of one rank, by what it is for, in bytes.
struct MemoryParts {
    double weights = 0, gradients = 0, optimizer = 0;
    double teacher = 0;
    double activations = 0;  ///< of the micro-batches that a stage of a pipeline keeps
    double snapshot = 0;     ///< of a state on its way to the disk
    double head = 0;         ///< chunks of logits and what is made of them

    double total() const {
        return weights + gradients + optimizer + teacher + activations + snapshot + head;
    }
    std::string text() const;  ///< "weights 320 MiB, gradients ..."
};

/// How the work is shared out, and what is known of it.
struct CostOf {
    lm::Layout layout, teacher_layout;
    bool wide = true;                        ///< computed in fp32
    std::optional<std::int64_t> steps = {};  ///< of the training
};

/// Of the ranks the one with most.
MemoryParts memory_of(const Training& training,
                      const lm::ModelConfig& student,
                      const std::optional<lm::ModelConfig>& teacher,
                      const CostOf& how);

}  // namespace stillroom::train
