#pragma once

#include "plugins/lm/modules/decoder.h"
#include "plugins/prune/machine.h"

#include <functional>

namespace stillroom::prune {

/// Layers of a decoder that a candidate keeps, ascending.
using Depth = std::vector<std::int64_t>;

/// Runs candidates that differ in their layers alone over one batch. Layers that they share before
/// they first differ are run once: the residual stream forks where they part. `take` is given what
/// the head takes, [T, D], once for each candidate, in any order.
using Take = std::function<void(std::size_t candidate, const at::Tensor& hidden_TD)>;
void run_depths(const lm::Decoder& decoder,
                const lm::Batch& batch,
                const std::vector<Depth>& depths,
                const Take& take);

/// The same by the ranks of a pipeline, of which this one holds a part of the layers: streams that
/// have not parted yet go to the next stage once. `take` is called on the last.
void run_depths(const lm::Decoder& decoder,
                const lm::Batch& batch,
                const std::vector<Depth>& depths,
                const lm::ModelPart& part,
                Line& line,
                const Take& take);

}  // namespace stillroom::prune
