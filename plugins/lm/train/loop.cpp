#include "plugins/lm/train/loop.h"

#include "engine/base/error.h"
#include "plugins/lm/data/batch_reader.h"
#include "plugins/lm/train/gradients.h"
#include "plugins/lm/train/offenders.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <limits>

namespace stillroom::lm {
namespace {

constexpr double kSpike = 10;  // times the usual loss: worth a word
// fp16's slopes are scaled by as much as they bear: doubled after so many steps without an
// overflow, halved after so many with one.
constexpr double kFirstScale = 0x1p32;
constexpr std::int64_t kGrowsAfter = 1000, kShrinksAfter = 2;
constexpr double kForgets = 0.95;  // of the usual loss, at each step

double now() {
    using Clock = std::chrono::steady_clock;
    return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

double weighted_total(const Losses& losses, const Learning& learning) {
    double total = learning.terms.ce_weight * losses.ce;
    if (learning.terms.kl)
        total += learning.terms.kl->weight * losses.kl;
    for (std::size_t i = 0; i < losses.hidden.size(); i++)
        total += learning.hidden[i].weight * losses.hidden[i];
    return total;
}

}  // namespace

std::map<std::string, double> named_losses(const Losses& losses) {
    return {{"total", losses.total},
            {"ce", losses.ce},
            {"kl", losses.kl},
            {"agreement", losses.agreement}};
}

/// This rank's micro-batches, from a sample on.
class Loop::Batches {
public:
    Batches(const Loop& loop, const Samples& samples, std::int64_t first)
        : positions_(loop.plan_.at_end.reset_positions),
          reader_(samples,
                  {.micro_batch = loop.plan_.micro_batch,
                   .rank = loop.learning_.mesh->place.data,
                   .ranks = loop.learning_.mesh->layout.data,
                   .first_sample = first,
                   .vocabulary = loop.plan_.vocabulary,
                   .at_end = loop.plan_.at_end}) {}

    Lesson next() { return lesson_of(reader_.next(), positions_); }
    void drop(std::int64_t count) {
        while (count-- > 0)
            reader_.next();
    }

private:
    bool positions_;
    BatchReader reader_;
};

Loop::Loop(const LoopPlan& plan,
           Learning& learning,
           Parameters& student,
           const Samples& train,
           const Samples* valid,
           LoopEvents events)
    : plan_(plan),
      learning_(learning),
      student_(student),
      train_(train),
      valid_(valid),
      events_(std::move(events)),
      started_(now()) {}

bool Loop::wants_stop() const {
    return events_.cancelled() || (plan_.stop_seconds && now() - started_ >= *plan_.stop_seconds);
}

/// One small message a step: losses, whether all numbers are numbers, whether somebody wants to
/// stop.
Losses Loop::agreed(const StepSums& sums, bool& stop) const {
    const Mesh& mesh = *learning_.mesh;
    bool speaks = mesh.is_last() && mesh.place.tensor == 0;
    const HeadSums& head = sums.pass.head;
    std::vector<double> numbers(6);
    if (speaks)
        numbers = {static_cast<double>(head.rows),
                   head.ce,
                   head.kl,
                   static_cast<double>(head.agreeing),
                   static_cast<double>(head.nonfinite),
                   0};
    numbers[5] = stop ? 1 : 0;
    numbers.insert(numbers.end(), sums.pass.hidden.begin(), sums.pass.hidden.end());
    at::Tensor all = at::tensor(numbers, at::kDouble);
    mesh.world.sum(all, "losses").wait();
    const double* found = all.const_data_ptr<double>();
    stop = found[5] > 0;
    Losses out;
    out.rows = static_cast<std::int64_t>(found[0]);
    double rows = std::max(found[0], 1.0);
    bool broken = found[4] > 0;
    double none = std::numeric_limits<double>::quiet_NaN();
    out.ce = broken ? none : found[1] / rows;
    out.kl = broken ? none : found[2] / rows;
    out.agreement = found[3] / rows;
    for (std::size_t i = 0; i < sums.pass.hidden.size(); i++)
        out.hidden.push_back(found[6 + i] / rows);
    out.total = weighted_total(out, learning_);
    if (broken)
        out.total = none;
    return out;
}

/// Of all ranks' ranges together; all see the same number.
double Loop::agreed_norm(double own_squares) const {
    at::Tensor squares = at::tensor({own_squares}, at::kDouble);
    learning_.mesh->world.sum(squares, "norms").wait();
    return std::sqrt(squares.item<double>());
}

void Loop::learn(const TrainingPoint& point, StepRecord& record) {
    reduce_gradients(*learning_.mesh, student_);
    double rows = static_cast<double>(record.losses.rows) * learning_.scale;
    record.gradient_norm =
        agreed_norm(own_square_sum(student_, student_.own(student_.gradient_N))) / rows;
    if (!std::isfinite(record.gradient_norm) || !std::isfinite(record.losses.total)) {
        record.skipped = true;
        return;
    }
    AdamwStep how = plan_.optimizer;
    how.lr = record.lr;
    how.decay = plan_.decay_ramp ? ramp_value(*plan_.decay_ramp, record.step) : plan_.decay;
    how.step = record.step - point.skipped;
    how.factor = (plan_.clip ? clip_factor(record.gradient_norm, *plan_.clip) : 1) / rows;
    if (events_.changes)
        events_.changes();
    squares_ = update(student_, how);
    share_weights(*learning_.mesh, student_);
}

StepRecord Loop::step(TrainingPoint& point, Batches& batches) {
    double begin = now();
    StepRecord record;
    record.step = point.step + 1;
    record.tokens = plan_.global_batch * train_.sequence();
    record.lr = learning_rate(plan_.schedule, point.samples + plan_.global_batch);
    squares_.reset();
    bool stop = wants_stop();
    if (plan_.skip_steps.contains(record.step)) {
        batches.drop(micro_batches());
        record.losses = agreed(
            {.pass = {.head = {}, .hidden = std::vector<double>(learning_.hidden.size())}}, stop);
        record.skipped = true;
        events_.warning(fmt::format("step {} is left out, as skip_steps says: samples {} to {}",
                                    record.step,
                                    point.samples,
                                    point.samples + plan_.global_batch - 1));
    } else {
        record.losses = agreed(taught(batches), stop);
        if (record.losses.rows == 0) {
            record.skipped = true;
            events_.warning(
                fmt::format("step {}: no token counts, so nothing is learnt", record.step));
        } else {
            learn(point, record);
            if (!shrinks_scale(point, record) && record.skipped)
                leave_out(point, record);
        }
    }
    point.skipped += record.skipped ? 1 : 0;
    point.step = record.step;
    point.samples += plan_.global_batch;
    point.tokens += record.tokens;
    record.seconds = now() - begin;
    point.seconds += record.seconds;
    stop_ = stop;
    return record;
}

/// As a device fails in the middle of a step.
void Loop::fail_on_purpose() const {
    if (events_.spoils("memory"))
        at::empty({std::int64_t{1} << 50}, student_.gradient_N.options());
    if (events_.spoils("device"))
        throw c10::AcceleratorError(
            {__func__, __FILE__, __LINE__}, 719, "CUDA error: an injected fault\nsaid by nobody");
}

/// This rank's losses and gradients of a step.
StepSums Loop::taught(Batches& batches) {
    if (events_.spoils)
        fail_on_purpose();
    student_.gradient_N.zero_();
    StepSums sums = run_micro_batches(
        learning_, micro_batches(), [&] { return batches.next(); }, /*learns=*/true);
    if (events_.spoils && events_.spoils("loss"))
        sums.pass.head.nonfinite++;
    if (events_.spoils && events_.spoils("gradient"))
        student_.gradient_N.narrow(0, 0, 1).fill_(std::numeric_limits<float>::quiet_NaN());
    return sums;
}

/// A step whose loss or gradient is no number, as all ranks have seen.
void Loop::leave_out(TrainingPoint& point, const StepRecord& record) {
    std::string what = fmt::format("step {}: {} is not finite (samples {} to {})",
                                   record.step,
                                   std::isfinite(record.losses.total) ? "the gradient" : "the loss",
                                   point.samples,
                                   point.samples + plan_.global_batch - 1);
    if (!plan_.skip_nonfinite) {
        Error error({}, what);
        error.hint("a lower optimizer.lr, or on_nonfinite: skip; the last save is kept")
            .exit_code(kExitNumeric);
        for (const std::string& offender : offenders(student_))
            error.note({}, offender);
        throw error;
    }
    point.nonfinite++;
    events_.warning(what + ": the step is left out");
}

/// Keeps the scale of slopes; true where the step only found that it was too large.
bool Loop::shrinks_scale(TrainingPoint& point, const StepRecord& record) {
    if (student_.weights_N.scalar_type() != at::kHalf)
        return false;
    bool overflowed = record.skipped && std::isfinite(record.losses.total) && point.loss_scale > 1;
    if (overflowed) {
        point.scaled_steps = 0;
        if (++point.overflows >= kShrinksAfter)
            point.loss_scale /= 2;
    } else if (++point.scaled_steps >= kGrowsAfter) {
        point.loss_scale *= 2;
        point.scaled_steps = point.overflows = 0;
    }
    learning_.scale = point.loss_scale;
    return overflowed;
}

void Loop::note_spike(const StepRecord& record) {
    double loss = record.losses.total;
    if (record.skipped)
        return;
    if (usual_loss_ > 0 && loss > kSpike * usual_loss_)
        events_.warning(fmt::format("step {}: the loss is {:.4g}, and was about {:.4g} before",
                                    record.step,
                                    loss,
                                    usual_loss_));
    usual_loss_ = usual_loss_ > 0 ? kForgets * usual_loss_ + (1 - kForgets) * loss : loss;
}

bool Loop::is_due(const TrainingPoint& point) const {
    return valid_ && plan_.eval_batches > 0 && point.validated < point.step &&
           (point.step == plan_.steps || point.step % plan_.eval_every == 0);
}

bool Loop::validate(TrainingPoint& point) {
    Batches batches(*this, *valid_, 0);
    StepSums sums{.pass = {.head = {}, .hidden = std::vector<double>(learning_.hidden.size())}};
    for (std::int64_t i = 0; i < plan_.eval_batches; i++) {
        // Not where its time is over: a start that validates alone would come to nothing.
        if (learning_.mesh->world.any(events_.cancelled(), "whether to go on"))
            return false;
        sums += run_micro_batches(
            learning_, micro_batches(), [&] { return batches.next(); }, /*learns=*/false);
    }
    bool stop = false;
    Losses found = agreed(sums, stop);
    point.validated = point.step;
    auto& into = point.first.empty() ? point.first : point.last;
    into = named_losses(found);
    if (!std::isfinite(found.total))
        events_.warning(
            fmt::format("validation after step {}: the loss is not finite in some of {} tokens",
                        point.step,
                        found.rows));
    else if (point.best.empty() || found.total < point.best.at("total"))
        point.best = named_losses(found);
    events_.validation(point.step, found);
    return true;
}

bool Loop::run(TrainingPoint& point, const Save& save) {
    if (student_.weights_N.scalar_type() == at::kHalf && point.step == 0)
        point.loss_scale = kFirstScale;
    learning_.scale = point.loss_scale;
    Batches batches(*this, train_, point.samples);
    if (is_due(point) && !validate(point))  // the first, or one that a stop came into
        return false;
    while (point.step < plan_.steps) {
        StepRecord record = step(point, batches);
        note_spike(record);
        if (record.step % plan_.log_every == 0 || record.step == plan_.steps)
            record.parameter_norm =
                agreed_norm(squares_ ? *squares_ : own_square_sum(student_, student_.master_O));
        events_.step(record);
        bool ends = point.step == plan_.steps;
        bool stops = stop_ || (plan_.stop_step && point.step >= *plan_.stop_step);
        bool waits = is_due(point) && !validate(point);  // for the next start
        stops |= waits;
        if (ends || stops || point.step % plan_.save_every == 0)
            save(point, /*last=*/ends || stops);
        if (stops && (!ends || waits))
            return false;
    }
    return true;
}

std::int64_t Loop::micro_batches() const {
    return plan_.global_batch / (plan_.micro_batch * learning_.mesh->layout.data);
}

}  // namespace stillroom::lm
