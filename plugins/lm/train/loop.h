#pragma once

#include "plugins/lm/data/samples.h"
#include "plugins/lm/train/pipeline.h"
#include "plugins/lm/train/schedule.h"
#include "plugins/lm/train/snapshot.h"
#include "plugins/lm/train/training_point.h"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// A loss and how it is weighted, over the rows that counted.
struct Losses {
    double total = 0;
    double ce = 0, kl = 0;
    std::vector<double> hidden;  ///< of each term, raw
    double agreement = 0;        ///< share of rows whose likeliest word is the teacher's
    std::int64_t rows = 0;
};

/// By their names in a state and in a report.
STILLROOM_API std::map<std::string, double> named_losses(const Losses& losses);

/// What an update came to.
struct StepRecord {
    std::int64_t step = 0;
    Losses losses;
    double lr = 0;
    double gradient_norm = 0;
    double parameter_norm = 0;  ///< of steps that are logged
    double seconds = 0;
    std::int64_t tokens = 0;  ///< of all ranks
    bool skipped = false;
};

/// How long a training is, and what it does on the way.
struct LoopPlan {
    std::int64_t steps = 0;
    std::int64_t global_batch = 1, micro_batch = 1;
    Schedule schedule;
    AdamwStep optimizer;  ///< lr, decay, factor and step are the loop's
    double decay = 0;
    std::optional<Ramp> decay_ramp;
    std::optional<double> clip;
    bool skip_nonfinite = false;
    std::set<std::int64_t> skip_steps;
    std::int64_t eval_every = 0, eval_batches = 0;  ///< batches 0: never
    std::int64_t save_every = 0;
    std::int64_t log_every = 1;
    std::optional<std::int64_t> stop_step;
    std::optional<double> stop_seconds;
    AtDocumentEnd at_end;
    std::int64_t vocabulary = 0;
};

/// What the loop tells and asks; each on every rank, `step` and `validation` with the same numbers.
struct LoopEvents {
    std::function<void(const StepRecord&)> step;
    std::function<void(std::int64_t step, const Losses&)> validation;
    std::function<void(const std::string&)> warning;
    std::function<bool()> cancelled;     ///< this rank's view
    std::function<void()> changes = {};  ///< parameters are about to be updated
    /// What a test breaks on purpose, "loss", "gradient", "memory" or "device": true once. May be
    /// empty.
    std::function<bool(std::string_view)> spoils = {};
};

/// One training on the ranks of a mesh. Bitwise the same for the same build, machine, layout and
/// threads, however often it was interrupted.
class STILLROOM_API Loop {
public:
    /// `valid` may be null: nothing is validated. The arguments outlive it.
    Loop(const LoopPlan& plan,
         Learning& learning,
         Parameters& student,
         const Samples& train,
         const Samples* valid,
         LoopEvents events);

    /// `last`: nothing is learnt after it.
    using Save = std::function<void(const TrainingPoint&, bool last)>;

    /// From there to the end, or until somebody wants to stop: false.
    bool run(TrainingPoint& point, const Save& save);

    /// Measures the student as it is, and notes that; false if somebody wants to stop meanwhile.
    bool validate(TrainingPoint& point);

private:
    class Batches;

    StepRecord step(TrainingPoint& point, Batches& batches);
    Losses agreed(const StepSums& sums, bool& stop) const;
    double agreed_norm(double own_squares) const;
    bool wants_stop() const;
    void note_spike(const StepRecord& record);
    bool is_due(const TrainingPoint& point) const;
    std::int64_t micro_batches() const;
    void leave_out(TrainingPoint& point, const StepRecord& record);
    void fail_on_purpose() const;
    StepSums taught(Batches& batches);
    void learn(const TrainingPoint& point, StepRecord& record);
    bool shrinks_scale(TrainingPoint& point, const StepRecord& record);

    const LoopPlan& plan_;
    Learning& learning_;
    Parameters& student_;
    const Samples& train_;
    const Samples* valid_;
    LoopEvents events_;
    bool stop_ = false;
    std::optional<double> squares_;  // of this rank's parameters, where the last update knows
    double started_ = 0;
    double usual_loss_ = 0;  // an average over the last steps
};

}  // namespace stillroom::lm
