#pragma once

#include "engine/run/record.h"
#include "engine/run/scheduler.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::cli {

/// "4.2 s", "12 s", "3 min 05 s", "2 h 05 min", "3 d 4 h".
std::string duration_text(double seconds);

/// What is known of one stage that is at work, from the records of its first rank, and the line
/// that says it. Everything it keeps is bounded and safe to show.
class StageProgress {
public:
    StageProgress(std::string name, Moment now) : name_(std::move(name)), began_(now) {}

    void hear(const Record& record, Moment now);

    /// What it does while no rank runs: "hashing ...", "waiting for ...".
    void set_note(std::string note) { note_ = std::move(note); }

    const std::string& name() const { return name_; }
    double seconds(Moment now) const;
    bool saved() const { return saved_; }

    /// The newest step, or of saved work the one that it was saved at.
    std::optional<std::int64_t> step() const { return saved_ ? saved_step_ : step_; }

    /// "student  [====>    ]  42 %  step 400  loss 2.31  12.3 steps/s  ETA 3 min 20 s"
    std::string bar_line(int columns, int name_width, Moment now) const;

    /// "42 %, step 400, loss 2.31, 12.3 steps/s, ETA 3 min 20 s"
    std::string plain_line(Moment now) const;

private:
    std::vector<std::string> parts(Moment now) const;
    std::string rate() const;
    std::optional<double> seconds_left(Moment now) const;

    std::string name_;
    std::string note_;
    Moment began_;
    std::optional<double> done_;
    double first_done_ = 0;  ///< a stage that goes on does not begin at 0
    Moment first_at_{};
    Moment done_at_{};
    std::string what_;
    std::string metric_;  ///< its first one, or `loss` once it has that
    double value_ = 0;
    std::string rate_name_;  ///< of a metric that is called so: "tokens"
    double rate_ = 0;
    std::optional<std::int64_t> step_;
    std::int64_t first_step_ = 0;
    Moment first_step_at_{};
    Moment step_at_{};
    bool saved_ = false;
    std::optional<std::int64_t> saved_step_;
};

}  // namespace stillroom::cli
