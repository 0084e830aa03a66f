#include "plugins/prune/judged.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace stillroom::prune {
namespace {

double mean_of(const std::vector<double>& values) {
    if (values.empty())
        return 0;
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double variance_of(const std::vector<double>& values) {
    if (values.size() < 2)
        return 0;
    double mean = mean_of(values), sum = 0;
    for (double value : values)
        sum += (value - mean) * (value - mean);
    return sum / static_cast<double>(values.size() - 1);
}

double direction(Task task) {
    return task == Task::mmlu ? 1 : -1;
}

/// Lower is better: what ties are broken by.
double distance_of(const Judged& judged) {
    for (Task task : {Task::kl, Task::loss})
        if (const TaskScore* score = judged.find(task))
            return score->value();
    return 0;
}

}  // namespace

double TaskScore::value() const {
    return mean_of(units);
}

double TaskScore::error() const {
    const auto n = static_cast<double>(units.size());
    if (units.size() < 2)
        return 0;
    if (task != Task::mmlu)
        return std::sqrt(variance_of(units) / n);
    const double p = value(), all = static_cast<double>(total);
    const double finite = all > n ? std::sqrt((all - n) / (all - 1)) : 1;
    return std::sqrt(p * (1 - p) / n) * finite;
}

const TaskScore* Judged::find(Task task) const {
    for (const TaskScore& score : tasks)
        if (score.task == task)
            return &score;
    return nullptr;
}

double score_of(const Judged& judged, const std::vector<WeightedTask>& tasks) {
    double out = 0;
    for (const WeightedTask& one : tasks)
        if (const TaskScore* score = judged.find(one.task))
            out += one.weight * direction(one.task) * score->value();
    return out;
}

double error_of(const Judged& judged, const std::vector<WeightedTask>& tasks) {
    double squares = 0;
    for (const WeightedTask& one : tasks)
        if (const TaskScore* score = judged.find(one.task))
            squares += std::pow(one.weight * score->error(), 2);
    return std::sqrt(squares);
}

double paired_error(const Judged& a, const Judged& b, const std::vector<WeightedTask>& tasks) {
    double squares = 0;
    for (const WeightedTask& one : tasks) {
        const TaskScore *first = a.find(one.task), *second = b.find(one.task);
        if (!first || !second || first->units.size() != second->units.size())
            continue;
        std::vector<double> differences;
        for (std::size_t i = 0; i < first->units.size(); ++i)
            differences.push_back(first->units[i] - second->units[i]);
        const auto n = static_cast<double>(differences.size());
        // Of answers (b + c - (b - c)^2 / n) / n^2, which is their variance over n.
        double variance = variance_of(differences) / n;
        if (one.task == Task::mmlu && n > 1)
            variance *= (n - 1) / n;
        squares += one.weight * one.weight * variance;
    }
    return std::sqrt(squares);
}

std::size_t pick(std::vector<Judged>& judged, const std::vector<WeightedTask>& tasks) {
    std::size_t highest = 0;
    for (std::size_t i = 1; i < judged.size(); ++i)
        if (score_of(judged[i], tasks) > score_of(judged[highest], tasks))
            highest = i;
    std::vector<std::size_t> ties;
    const double best = score_of(judged[highest], tasks);
    for (std::size_t i = 0; i < judged.size(); ++i) {
        double gap = best - score_of(judged[i], tasks);
        bool close = i == highest || gap <= 2 * paired_error(judged[highest], judged[i], tasks);
        if (close)
            ties.push_back(i);
        judged[i].tied = close;
    }
    std::size_t out =
        *std::min_element(ties.begin(), ties.end(), [&](std::size_t a, std::size_t b) {
            auto rank = [&](std::size_t i) {
                return std::tuple(distance_of(judged[i]), judged[i].candidate.shape.layers, i);
            };
            return rank(a) < rank(b);
        });
    for (Judged& one : judged)
        one.tied = one.tied && ties.size() > 1;
    return out;
}

}  // namespace stillroom::prune
