#pragma once

#include "engine/plugin/stage.h"
#include "plugins/lm/config/model_config.h"
#include "plugins/lm/data/rows.h"

namespace stillroom::prune {

/// Tokens of a row: `sequence`, at most the positions that the model knows. More than those is
/// refused where somebody asks for it.
std::int64_t row_length(const StageContext& context,
                        std::int64_t sequence,
                        const lm::ModelConfig& model);

/// Rows that are measured, of those that there are: `samples`. Where fewer are there, all of them,
/// with a warning; but Error (exit 3) where somebody asked for more and does not allow fewer.
std::int64_t sample_rows(StageContext& context,
                         std::int64_t rows,
                         std::int64_t samples,
                         bool allow_short);

/// The same before anything runs, of a dataset that may be known in part. Warns of nothing.
void check_samples(const StageContext& context,
                   const std::filesystem::path& dataset,
                   std::int64_t length,
                   std::int64_t samples,
                   bool allow_short);

/// What tells these rows from others: their tokens.
std::string digest_of_rows(const lm::Rows& rows, std::int64_t first, std::int64_t count);

}  // namespace stillroom::prune
