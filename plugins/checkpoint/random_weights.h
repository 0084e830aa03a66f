#pragma once

#include "plugins/lm/config/model_config.h"
#include "plugins/lm/weights/tensor_writer.h"
#include "plugins/lm/weights/weight_table.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace stillroom::checkpoint {

struct RandomWeights {
    std::int64_t seed = 0;
    double std = 0.02;
    lm::Dtype dtype = lm::Dtype::bf16;
    unsigned threads = 1;
};

/// All tensors of a model: matrices normal with mean 0, biases 0, norms such that they scale by
/// one. A number depends on the seed, the tensor's name and its place, on nothing else: neither on
/// threads nor on which other tensors there are.
std::vector<lm::NewTensor> random_tensors(const lm::ModelConfig& model,
                                          const lm::WeightTable& table,
                                          const RandomWeights& how);

/// Normal numbers `first` and the following of the stream that seed and name are.
void fill_normal(std::int64_t seed,
                 std::string_view name,
                 std::uint64_t first,
                 std::span<float> into,
                 double std);

/// The number below which a standard normal one falls with this probability, 0 < p < 1.
double normal_quantile(double p);

}  // namespace stillroom::checkpoint
