#include "plugins/lm/train/schedule.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace stillroom::lm {
namespace {

[[noreturn]] void refuse_schedule(const char* setting, const std::string& what, const char* hint) {
    throw Error({}, what).key(setting).hint(hint).exit_code(kExitUsage);
}

/// From 1 to 0 as `share` goes from 0 to 1.
double falling(Fall fall, double share) {
    switch (fall) {
        case Fall::linear:
            return 1 - share;
        case Fall::cosine:
            return (1 + std::cos(std::numbers::pi * share)) / 2;
        case Fall::exponential:
            return 2 * std::pow(0.5, share) - 1;
        case Fall::minus_sqrt:
            return 1 - std::sqrt(share);
    }
    return 0;
}

double share_of(double part, double whole) {
    return whole > 0 ? std::clamp(part / whole, 0.0, 1.0) : 1;
}

}  // namespace

void check_schedule(const Schedule& schedule) {
    if (!(schedule.most > 0) || !std::isfinite(schedule.most))
        refuse_schedule("optimizer.lr",
                        fmt::format("a learning rate of {} is not above 0", schedule.most),
                        "1e-4 suits most");
    if (!(schedule.least >= 0) || schedule.least > schedule.most)
        refuse_schedule(
            "schedule.min_lr",
            fmt::format("min_lr {} is not between 0 and lr {}", schedule.least, schedule.most),
            "lr falls to it: schedule.min_lr: 0, or a tenth of lr");
    if (schedule.warmup < 0 || schedule.warmup >= schedule.length)
        refuse_schedule(
            "schedule.warmup",
            fmt::format("a warmup of {} samples does not end before the {} of the schedule",
                        schedule.warmup,
                        schedule.length),
            "a shorter warmup, or a longer training");
    if (schedule.course == Course::wsd &&
        (schedule.fall_length < 1 || schedule.fall_length > schedule.length - schedule.warmup))
        refuse_schedule(
            "schedule.tail_steps",
            fmt::format("a fall over {} samples does not fit between the warmup's {} and the "
                        "end at {}",
                        schedule.fall_length,
                        schedule.warmup,
                        schedule.length),
            "a tenth of the training is usual");
}

double learning_rate(const Schedule& schedule, std::int64_t samples) {
    auto n = static_cast<double>(samples), warmup = static_cast<double>(schedule.warmup),
         length = static_cast<double>(schedule.length);
    if (samples <= schedule.warmup)
        return warmup > 0 ? schedule.most * n / warmup : schedule.most;
    if (schedule.course == Course::constant)
        return schedule.most;
    if (samples > schedule.length)
        return schedule.least;
    double part = 1;
    if (schedule.course == Course::inverse_sqrt)
        return std::max(schedule.least,
                        schedule.most * std::sqrt(std::max(warmup, 1.0)) / std::sqrt(n));
    if (schedule.course == Course::wsd) {
        auto fall = static_cast<double>(schedule.fall_length);
        if (n > length - fall)
            part = falling(schedule.fall, share_of(n - (length - fall), fall));
    } else {
        part = falling(schedule.course == Course::cosine ? Fall::cosine : Fall::linear,
                       share_of(n - warmup, length - warmup));
    }
    return schedule.least + part * (schedule.most - schedule.least);
}

double ramp_value(const Ramp& ramp, std::int64_t step) {
    double share = share_of(static_cast<double>(step), static_cast<double>(ramp.steps));
    if (ramp.cosine)
        share = (std::cos(std::numbers::pi * (1 - share)) + 1) / 2;
    return ramp.from + share * (ramp.to - ramp.from);
}

}  // namespace stillroom::lm
