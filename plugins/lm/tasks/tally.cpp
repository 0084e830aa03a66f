#include "plugins/lm/tasks/tally.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>

namespace stillroom::lm {

double Tally::standard_error() const {
    if (asked == 0)
        return 0;
    auto n = static_cast<double>(asked), all = static_cast<double>(total);
    double p = accuracy(), error = std::sqrt(p * (1 - p) / n);
    return asked < total ? error * std::sqrt((all - n) / (all - 1)) : error;
}

Tally& Tally::operator+=(const Tally& other) {
    correct += other.correct;
    asked += other.asked;
    total += other.total;
    return *this;
}

Tally sum_of(std::span<const SubjectTally> subjects) {
    Tally sum;
    for (const SubjectTally& subject : subjects)
        sum += subject.tally;
    return sum;
}

double weighted_accuracy(std::span<const SubjectTally> subjects) {
    double sum = 0, total = 0;
    for (const SubjectTally& subject : subjects) {
        sum += static_cast<double>(subject.tally.total) * subject.tally.accuracy();
        total += static_cast<double>(subject.tally.total);
    }
    return total == 0 ? 0 : sum / total;
}

std::size_t best_of(std::span<const double> scores) {
    if (std::any_of(scores.begin(), scores.end(), [](double x) { return std::isnan(x); }))
        throw Error({}, "the model's score of an answer is no number").exit_code(kExitNumeric);
    return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) -
                                    scores.begin());
}

Pairing paired(const std::vector<bool>& first, const std::vector<bool>& second) {
    assert(first.size() == second.size() && "both were asked the same questions");
    Pairing out;
    out.asked = std::ssize(first);
    for (std::size_t i = 0; i < first.size(); i++) {
        out.first_only += first[i] && !second[i];
        out.second_only += second[i] && !first[i];
    }
    if (out.asked == 0)
        return out;
    auto n = static_cast<double>(out.asked);
    auto b = static_cast<double>(out.first_only), c = static_cast<double>(out.second_only);
    out.difference = (b - c) / n;
    out.standard_error = std::sqrt(b + c - (b - c) * (b - c) / n) / n;
    return out;
}

}  // namespace stillroom::lm
