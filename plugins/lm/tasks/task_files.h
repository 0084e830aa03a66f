#pragma once

#include "engine/base/api.h"
#include "engine/base/json_value.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace stillroom::lm {

/// How rows of a file become questions; each as lm-eval's task of that name reads them.
enum class TaskRule : std::uint8_t {
    choices,    ///< {"question", "choices": [texts], "answer": index, text or letter}
    hellaswag,  ///< {"activity_label", "ctx_a", "ctx_b", "endings", "label"}
    arc,        ///< {"question", "choices": {"text", "label"}, "answerKey"}
    winogrande  ///< {"sentence" with one "_", "option1", "option2", "answer": "1" or "2"}
};

/// A question whose answers are texts that go on from a context: one context for all, or, with
/// WinoGrande, one continuation for all.
struct TaskQuestion {
    std::vector<std::string> contexts, continuations;
    std::vector<std::string> choices;  ///< whose lengths count
    std::size_t answer = 0;

    /// As an example before another question.
    STILLROOM_API std::string solved() const;
};

/// Throws Error (exit 3) saying what the row lacks.
STILLROOM_API TaskQuestion task_question(const Json& row, TaskRule rule);

/// The questions of a JSONL file, an object a line, empty lines are none; or of a Parquet file
/// (`.parquet`) with columns of these names. Throws Error (exit 3) with file and line or row.
STILLROOM_API std::vector<TaskQuestion> read_task_file(const std::filesystem::path& path,
                                                       TaskRule rule);

/// lm-eval's cleaning of HellaSwag's texts: outer blanks, " [title]", "[...]", double blanks.
STILLROOM_API std::string hellaswag_text(std::string_view text);

}  // namespace stillroom::lm
