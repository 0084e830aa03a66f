#include "plugins/lm/train/train_log.h"

#include <fmt/format.h>

#include <cmath>

namespace stillroom::lm {
namespace {

double rate(double count, const LoggedStep& at) {
    return at.seconds > 0 ? count / at.seconds / at.ranks : 0;
}

double flops_per_second(const LoggedStep& at) {
    return rate(static_cast<double>(at.tokens) * at.token_flops, at);
}

/// Three digits: 392, 39.2, 3.92.
std::string three_digits(double value) {
    return fmt::format("{:.{}f}", value, value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
}

std::string short_count(double value) {
    if (value >= 999.5e3)
        return three_digits(value / 1e6) + "M";
    return value >= 999.5 ? three_digits(value / 1e3) + "k" : three_digits(value);
}

/// "1:22:50"
std::string hours(double seconds) {
    if (!std::isfinite(seconds) || seconds > 1e12)
        return "unknown";
    auto whole = static_cast<std::int64_t>(std::llround(std::max(seconds, 0.0)));
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace

std::string console_line(const LoggedStep& at) {
    std::string line =
        fmt::format("step {}/{} | samples {} | {:.1f} ms | {} tok/s/rank | {} TFLOP/s/rank",
                    at.step,
                    at.steps,
                    at.samples,
                    at.seconds * 1e3,
                    short_count(rate(static_cast<double>(at.tokens), at)),
                    three_digits(flops_per_second(at) / 1e12));
    if (at.peak > 0)
        line += fmt::format(" ({:.1f} % MFU)", flops_per_second(at) / at.peak * 100);
    line += fmt::format(" | lr {:.2e} | batch {}", at.lr, at.batch);
    for (const auto& [name, value] : at.losses)
        line += fmt::format(" | {} {:.4f}", name, value);
    return line + fmt::format(" | grad norm {:.2f} | skipped {} | nan {} | ETA {}",
                              at.gradient_norm,
                              at.skipped,
                              at.nonfinite,
                              hours(static_cast<double>(at.steps - at.step) * at.seconds));
}

void add_curves(EventFile& file, const LoggedStep& at, double now) {
    std::vector<std::pair<std::string, double>> curves = {
        {"learning-rate", at.lr},
        {"batch-size", static_cast<double>(at.batch)},
        {"loss-scale", at.loss_scale},
        {"grad-norm", at.gradient_norm},
        {"params-norm", at.parameter_norm},
        {"iteration-time", at.seconds},
        {"throughput/tflops/device", flops_per_second(at) / 1e12},
    };
    curves.insert(curves.end(), at.losses.begin(), at.losses.end());
    std::vector<Scalar> values;
    for (const auto& [tag, value] : curves)
        values.push_back({tag, static_cast<float>(value)});
    file.add(values, at.step, now);
    for (auto& [tag, value] : curves)
        tag += " vs samples";
    for (std::size_t i = 0; i < curves.size(); ++i)
        values[i].tag = curves[i].first;
    file.add(values, at.samples, now);
}

}  // namespace stillroom::lm
