#pragma once

#include "engine/base/json_value.h"
#include "plugins/prune/shape.h"

#include <filesystem>

namespace stillroom {
class RunContext;
}

namespace stillroom::prune {

/// Squared accumulators of a pass, in fp64. Those of ranks or passes are added before any root is
/// taken: then a sum equals one rank's.
struct RawScores {
    std::vector<std::vector<double>> attention_input, mlp_input;  ///< a list per layer, [hidden]
    std::vector<std::vector<double>> ffn;                         ///< [ffn]
    std::vector<std::vector<double>> heads;                       ///< [heads x head_dim]
    std::vector<double> layers;                                   ///< summed over the rows
    std::vector<double> stream;  ///< [hidden]: mean squares of what the last norm takes, summed
    std::int64_t rows = 0, tokens = 0;

    void add(const RawScores& other);
};

/// Importances: what a model's parts contribute. Lists are empty where nothing was measured.
struct Scores {
    std::vector<float> hidden;
    std::vector<std::vector<float>> ffn, heads;  ///< a list per layer
    std::vector<float> layers;
    RawScores raw;
    Json about;  ///< scores.json
};

/// Roots of the sums: section by section what spec calls importance.
Scores scores_of(RawScores raw, std::int64_t head_dim);

/// Throws Error (exit 6) naming layer and hook where a sum is no number.
void require_numbers(const RawScores& raw);

/// `scores.safetensors` and `scores.json` of an output; `about` are members of the latter, as JSON.
void write_scores(RunContext& context,
                  const std::filesystem::path& folder,
                  const Scores& scores,
                  const std::string& about);

/// Throws Error (exit 3) where the folder is no scores of a model of this shape, or was measured on
/// another model than the one of this digest.
Scores read_scores(const std::filesystem::path& folder, const lm::ModelConfig& model);

/// What tells a model from another: its shape and each tensor's name, type, size and a sample of
/// its bytes.
std::string fingerprint_of_model(const std::filesystem::path& folder);

}  // namespace stillroom::prune
