#include "engine/cli/stage_progress.h"

#include "engine/base/text.h"
#include "engine/cli/terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stillroom::cli {
namespace {

constexpr std::size_t kLongestWhat = 200;
constexpr std::size_t kLongestMetric = 40;
constexpr std::string_view kPerSecond = "_per_second";
constexpr double kShortestBase = 1;  // seconds before a rate is worth saying
constexpr double kFarthest = 99.0 * 24 * 3600;

/// A record's text, made safe; cut before it is escaped, as it may have a megabyte.
std::string safe(std::string_view text, std::size_t limit) {
    return shorten(escape_controls(text.substr(0, 4 * limit)), limit);
}

double between(Moment from, Moment to) {
    return std::chrono::duration<double>(to - from).count();
}

/// Three digits: 0.012, 12.3, 12.3K, 1.2e+20.
std::string short_number(double value) {
    static constexpr std::pair<double, const char*> kSuffixes[] = {
        {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "K"}};
    for (auto [scale, suffix] : kSuffixes)
        if (value >= scale && value < 1e15 && (value >= 1e4 || scale > 1e3))
            return fmt::format("{:.3g}{}", value / scale, suffix);
    return value >= 1e3 && value < 1e4 ? fmt::format("{:.0f}", value)
                                       : fmt::format("{:.3g}", value);
}

std::string bar(double done, int width) {
    auto filled = static_cast<int>(std::floor(done * width));
    std::string text(static_cast<std::size_t>(filled), '=');
    if (filled < width)
        text += '>';
    text.resize(static_cast<std::size_t>(width), ' ');
    return "[" + text + "]";
}

std::string percent(double done) {
    return fmt::format("{:3.0f} %", std::floor(done * 100));
}

}  // namespace

std::string duration_text(double seconds) {
    if (!(seconds >= 0))
        seconds = 0;
    if (seconds < 9.95)
        return fmt::format("{:.1f} s", seconds);
    auto whole = static_cast<long long>(std::llround(std::min(seconds, 1e15)));
    if (whole < 60)
        return fmt::format("{} s", whole);
    if (whole < 3600)
        return fmt::format("{} min {:02} s", whole / 60, whole % 60);
    if (whole < 24 * 3600)
        return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
    return fmt::format("{} d {} h", whole / (24 * 3600), whole / 3600 % 24);
}

void StageProgress::hear(const Record& record, Moment now) {
    note_.clear();
    if (record.event == "progress") {
        double done = std::isfinite(record.value) ? std::clamp(record.value, 0.0, 1.0) : 0;
        if (!done_ || done < *done_)  // the first, or it began anew
            first_done_ = done, first_at_ = now;
        done_ = done;
        done_at_ = now;
        what_ = safe(record.text, kLongestWhat);
    } else if (record.event == "metric") {
        if (!step_ || record.step < *step_)
            first_step_ = record.step, first_step_at_ = now;
        step_ = record.step;
        step_at_ = now;
        std::string_view name = record.name;
        if (name.ends_with(kPerSecond)) {
            rate_name_ = safe(name.substr(0, name.size() - kPerSecond.size()), kLongestMetric);
            rate_ = record.value;
        } else if (std::string shown = safe(name, kLongestMetric);
                   metric_.empty() || shown == metric_ || shown == "loss") {
            metric_ = std::move(shown);
            value_ = record.value;
        }
    } else if (record.event == "saved") {
        saved_ = true;
        saved_step_ = step_;
    }
}

double StageProgress::seconds(Moment now) const {
    return between(began_, now);
}

std::string StageProgress::rate() const {
    if (!rate_name_.empty())
        return fmt::format("{} {}/s", short_number(rate_), rate_name_);
    double base = between(first_step_at_, step_at_);
    if (!step_ || *step_ <= first_step_ || base < kShortestBase)
        return "";
    double steps = static_cast<double>(*step_) - static_cast<double>(first_step_);
    return fmt::format("{} steps/s", short_number(steps / base));
}

std::optional<double> StageProgress::seconds_left(Moment now) const {
    if (!done_ || *done_ >= 1 || *done_ <= first_done_ ||
        between(first_at_, done_at_) < kShortestBase)
        return std::nullopt;
    double all = (1 - *done_) * between(first_at_, done_at_) / (*done_ - first_done_);
    double left = std::max(0.0, all - between(done_at_, now));
    return left < kFarthest ? std::optional(left) : std::nullopt;
}

/// What follows the bar.
std::vector<std::string> StageProgress::parts(Moment now) const {
    if (!note_.empty())
        return {note_, duration_text(seconds(now))};
    std::vector<std::string> all;
    if (!what_.empty())
        all.push_back(what_);
    if (step_ && what_.find("step") == std::string::npos)
        all.push_back(fmt::format("step {}", *step_));
    if (!metric_.empty())
        all.push_back(fmt::format("{} {:.4g}", metric_, value_));
    if (std::string text = rate(); !text.empty())
        all.push_back(std::move(text));
    if (std::optional<double> left = seconds_left(now))
        all.push_back("ETA " + duration_text(*left));
    else
        all.push_back(duration_text(seconds(now)));
    return all;
}

std::string StageProgress::bar_line(int columns, int name_width, Moment now) const {
    constexpr int kNarrow = 60;  // without room for a bar
    std::string line = fit(name_, name_width);
    line.append(static_cast<std::size_t>(std::max(0, name_width - display_width(line))), ' ');
    if (done_ && note_.empty()) {
        if (columns >= kNarrow)
            line += "  " + bar(*done_, columns / 5);
        line += "  " + percent(*done_);
    }
    for (const std::string& part : parts(now))
        line += "  " + part;
    return fit(line, columns);
}

std::string StageProgress::plain_line(Moment now) const {
    std::vector<std::string> all = parts(now);
    if (done_ && note_.empty())
        all.insert(all.begin(), std::string(trim(percent(*done_))));
    return fmt::format("{}", fmt::join(all, ", "));
}

}  // namespace stillroom::cli
