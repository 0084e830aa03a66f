#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::evaluate {

/// One number of a task, as lm-eval would tell it.
struct LmEvalMetric {
    std::string name;  ///< acc, acc_norm
    double value = 0;
    std::optional<double> stderror;  ///< none of a single question
};

struct LmEvalTask {
    std::string name, alias;
    std::vector<LmEvalMetric> metrics;
    std::int64_t asked = 0, total = 0, few_shot = 0;
    double version = 1;
};

/// Tasks with one number: the mean weighed by how many questions each has.
struct LmEvalGroup {
    std::string name, alias;
    std::vector<std::string> members;  ///< tasks, or groups after this one
    std::vector<std::string> tasks;    ///< those below, to be averaged
    double version = 2;
};

struct LmEvalRun {
    std::vector<LmEvalGroup> groups;  ///< a group before its members
    std::vector<LmEvalTask> tasks;
    std::string model, dtype, device;
    std::int64_t seed = 0;
};

/// Results in the shape of lm-eval's file: results, groups, group_subtasks, versions, n-shot,
/// higher_is_better, n-samples, config. Without times and places, so that equal results are equal
/// files.
std::string lm_eval_json(const LmEvalRun& run);

/// Of a mean over answers that are right or wrong; none of a single one.
std::optional<double> lm_eval_stderr(std::int64_t correct, std::int64_t asked);

}  // namespace stillroom::evaluate
