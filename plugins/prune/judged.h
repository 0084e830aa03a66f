#pragma once

#include "plugins/prune/search.h"
#include "plugins/prune/task.h"

#include <string>
#include <vector>

namespace stillroom::prune {

/// What a task said of one candidate: a number per unit, which is a row or a question.
struct TaskScore {
    Task task = Task::kl;
    std::vector<double> units =
        {};                    ///< nats a token of a row; 1 for a right answer, 0 for a wrong one
    std::int64_t total = 0;    ///< questions that there are; 0: units are no sample of a whole
    std::string answers = {};  ///< of mmlu, a letter a question

    double value() const;  ///< the mean
    double error() const;  ///< its standard error
};

/// A candidate with what it was given.
struct Judged {
    Candidate candidate;
    std::vector<std::int64_t> layers;  ///< that it keeps
    std::vector<TaskScore> tasks = {};
    bool tied = false;  ///< with the best, within two standard errors of the difference

    const TaskScore* find(Task task) const;
};

/// The weighted sum; of loss and kl the negative counts, so that higher is better.
double score_of(const Judged& judged, const std::vector<WeightedTask>& tasks);
double error_of(const Judged& judged, const std::vector<WeightedTask>& tasks);

/// Standard error of the difference of two scores, paired by unit.
double paired_error(const Judged& a, const Judged& b, const std::vector<WeightedTask>& tasks);

/// The index of the best. Marks as tied those whose score is within two paired standard errors of
/// the highest: of them the one with the lowest kl or loss where one is known, then with the fewest
/// layers, then the first.
std::size_t pick(std::vector<Judged>& judged, const std::vector<WeightedTask>& tasks);

}  // namespace stillroom::prune
