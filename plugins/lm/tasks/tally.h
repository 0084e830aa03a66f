#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace stillroom::lm {

/// Answers to a part of a subject's questions.
struct STILLROOM_API Tally {
    std::int64_t correct = 0, asked = 0;
    std::int64_t total = 0;  ///< questions that there are

    double accuracy() const {
        return asked == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(asked);
    }

    /// Of the accuracy as an estimate for all questions that there are; where all were asked, for
    /// questions of their kind.
    double standard_error() const;

    Tally& operator+=(const Tally& other);
};

struct SubjectTally {
    std::string name;
    Tally tally;
};

STILLROOM_API Tally sum_of(std::span<const SubjectTally> subjects);

/// Each subject's accuracy weighed by all the questions it has.
STILLROOM_API double weighted_accuracy(std::span<const SubjectTally> subjects);

/// The likeliest, of equal ones the first. Throws Error (exit 6) for NaN.
STILLROOM_API std::size_t best_of(std::span<const double> scores);

/// Two models on the same questions.
struct Pairing {
    std::int64_t asked = 0;
    std::int64_t first_only = 0, second_only = 0;  ///< questions that one alone answers rightly
    double difference = 0;                         ///< of accuracies, first less second
    double standard_error = 0;                     ///< of the difference

    bool tie() const { return difference < 2 * standard_error && -difference < 2 * standard_error; }
};

STILLROOM_API Pairing paired(const std::vector<bool>& first, const std::vector<bool>& second);

}  // namespace stillroom::lm
