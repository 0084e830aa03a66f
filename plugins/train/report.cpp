#include "plugins/train/report.h"

#include "engine/base/json.h"
#include "engine/base/units.h"

#include <fmt/format.h>

#include <cmath>

namespace stillroom::train {
namespace {

void put(JsonWriter& out, std::string_view name, double value) {
    out.key(name);
    std::isfinite(value) ? out.number(value) : out.null();
}

void put_losses(JsonWriter& out, const Training& training, const lm::Losses& losses) {
    out.begin_object();
    put(out, "total", losses.total);
    put(out, "ce", losses.ce);
    if (training.distills()) {
        put(out, "kl", losses.kl);
        put(out, "agreement", losses.agreement);
    }
    if (!training.hidden.empty()) {
        out.key("hidden"), out.begin_array();
        for (double value : losses.hidden)
            std::isfinite(value) ? out.number(value) : out.null();
        out.end_array();
    }
    out.end_object();
}

void put_validation(JsonWriter& out,
                    std::string_view name,
                    const std::map<std::string, double>& found) {
    if (found.empty())
        return;
    out.key(name), out.begin_object();
    for (const auto& [term, value] : found)
        put(out, term, value);
    out.end_object();
}

double rate(const lm::TrainingPoint& point) {
    return point.seconds > 0 ? static_cast<double>(point.tokens) / point.seconds : 0;
}

}  // namespace

std::string report_json(const Training& training, const Summary& summary) {
    const lm::TrainingPoint& point = summary.point;
    JsonWriter out(1);
    out.begin_object();
    out.key("steps"), out.integer(point.step);
    out.key("samples"), out.integer(point.samples);
    out.key("tokens"), out.integer(point.tokens);
    put(out, "seconds", point.seconds);
    put(out, "tokens_per_second", rate(point));
    out.key("peak_memory_bytes"), out.integer(static_cast<std::int64_t>(summary.peak_memory));
    if (summary.last)
        out.key("loss"), put_losses(out, training, *summary.last);
    out.key("validation"), out.begin_object();
    put_validation(out, "first", point.first);
    put_validation(out, "last", point.last.empty() ? point.first : point.last);
    out.end_object();
    out.key("skipped"), out.integer(point.skipped);
    out.key("nonfinite"), out.integer(point.nonfinite);
    out.key("precision"), out.string(summary.precision);
    out.key("device"), out.string(summary.device);
    out.key("ranks"), out.integer(summary.ranks);
    out.end_object();
    return out.take();
}

std::string report_text(const Training& training, const Summary& summary) {
    const lm::TrainingPoint& point = summary.point;
    std::string text;
    if (!training.validate_only)
        text +=
            fmt::format("{} steps, {} tokens in {:.1f} s: {:.0f} tokens/s, {} of memory at most\n",
                        point.step,
                        point.tokens,
                        point.seconds,
                        rate(point),
                        size_text(summary.peak_memory));
    if (summary.last) {
        text += fmt::format("loss of the last step: total {:.5f}, ce {:.5f}",
                            summary.last->total,
                            summary.last->ce);
        if (training.distills())
            text += fmt::format(", kl {:.5f}", summary.last->kl);
        for (std::size_t i = 0; i < summary.last->hidden.size(); i++)
            text += fmt::format(", hidden {} {:.5f}", i, summary.last->hidden[i]);
        text += "\n";
    }
    auto line = [&](const char* name, const std::map<std::string, double>& found) {
        if (found.empty())
            return;
        text += fmt::format("validation {}:", name);
        for (const auto& [term, value] : found)
            text += fmt::format(" {} {:.5f}", term, value);
        text += "\n";
    };
    line(point.last.empty() ? "" : "before", point.first);
    line("after", point.last);
    if (point.skipped > 0)
        text += fmt::format(
            "{} steps were left out, {} of them as not finite\n", point.skipped, point.nonfinite);
    return text;
}

}  // namespace stillroom::train
