#pragma once

#include "plugins/lm/parallel/mesh.h"
#include "plugins/lm/train/hidden_terms.h"
#include "plugins/lm/train/parameters.h"
#include "plugins/train/training.h"

#include <vector>

namespace stillroom::train {

/// The pairs of points that a recipe asks for; where the models differ in width each pair has a
/// projection, or all share one.
std::vector<lm::HiddenTerm> hidden_terms(const Training& training,
                                         const lm::ModelConfig& student,
                                         const lm::ModelConfig& teacher);

/// Projections of the student's points that are on this rank's stage of the pipeline. With
/// `sequence` ranks that share layers see other tokens, and sum what they find.
std::vector<lm::HeldWeight> projections_here(const std::vector<lm::HiddenTerm>& terms,
                                             const lm::Mesh& mesh,
                                             bool sequence,
                                             const lm::ModelConfig& student,
                                             const lm::ModelConfig& teacher);

/// How it begins: even within Xavier's bounds, by the place of each number; a bias at 0.
void begin_projection(const lm::HeldWeight& held, std::int64_t seed, const at::Tensor& into);

}  // namespace stillroom::train
