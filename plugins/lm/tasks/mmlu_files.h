#pragma once

#include "engine/base/api.h"
#include "plugins/lm/tasks/question.h"

#include <filesystem>

namespace stillroom::lm {

/// MMLU from a folder: either Parquet files `test*.parquet` and `dev*.parquet` with the columns
/// question, subject, choices and answer, as the Hub's cais/mmlu has them in `all/`; or CSV files
/// `test/SUBJECT_test.csv` and `dev/SUBJECT_dev.csv`, itself or in `data/`: the original archive
/// (no header, the answer as a letter) or with the header question,choice0,...,choice3,answer (the
/// answer from 0 to 3). Each subject needs its `dev` file where examples are wanted. Throws Error
/// (exit 3) naming file, line and why.
STILLROOM_API QuestionSet read_mmlu(const std::filesystem::path& folder, bool with_examples);

}  // namespace stillroom::lm
