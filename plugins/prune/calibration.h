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

/// Of so few rows that all would be measured, how many at the end are kept out, for candidates to
/// be judged by: an eighth. Of one row none can be.
std::int64_t kept_out(std::int64_t rows);

/// Rows that are measured, of those that there are: `samples`. Where no more than those are there,
/// all but the ones that are kept out, with a warning; but where somebody asked for so many and
/// does not allow fewer, just as many, or Error (exit 3).
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

/// Where importance is measured on all rows that there are, and somebody asked for that many, none
/// is left to judge candidates by (exit 3). Before anything runs; nothing where it is not known.
[[noreturn]] void refuse_none_held_out(std::int64_t rows);
void check_held_out(const StageContext& context,
                    const std::filesystem::path& dataset,
                    std::int64_t length,
                    std::int64_t samples,
                    bool allow_short);

/// What tells these rows from others: their tokens.
std::string digest_of_rows(const lm::Rows& rows, std::int64_t first, std::int64_t count);

}  // namespace stillroom::prune
