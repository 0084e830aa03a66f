#include "plugins/evaluate/asking.h"

#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/json_value.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace stillroom::evaluate {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLargestRecord = std::size_t{1} << 30;

/// The scores that an earlier start has left, a list a line; a last line that was cut off is none.
Scores recorded(const fs::path& path, std::span<const lm::Asked> asked) {
    Scores scores;
    std::error_code ignored;
    if (!fs::exists(path, ignored))
        return scores;
    std::string text = read_file(path, kLargestRecord);
    for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
        if (scores.size() == asked.size())
            break;
        Json line = Json::parse(std::string_view(text).substr(begin, end - begin));
        std::vector<double> one;
        for (const Json& value : line.list())
            one.push_back(value.number());
        if (one.size() != asked[scores.size()].choices.size())
            break;
        scores.push_back(std::move(one));
    }
    return scores;
}

std::string lines_of(std::span<const std::vector<double>> scores) {
    std::string out;
    for (const std::vector<double>& one : scores) {
        JsonWriter line;
        line.begin_array();
        for (double value : one)
            line.number(value);
        line.end_array();
        out += line.take() + "\n";
    }
    return out;
}

/// What a pass holds at its widest, by the config alone, and what it may hold.
std::size_t tokens_of_a_pass(const Model& model) {
    const lm::ModelConfig& config = model.decoder().config;
    std::int64_t widest = 0;
    for (const lm::Layer& layer : config.layers)
        if (layer.mlp)
            widest = std::max(widest, layer.mlp->width);
    auto bytes = static_cast<std::size_t>((3 * widest + 6 * config.hidden) *
                                          (model.dtype == "fp32" ? 4 : 2));
    std::size_t room = model.device == "cpu" ? std::size_t{256} << 20 : std::size_t{2} << 30;
    return std::clamp<std::size_t>(room / bytes, 2048, 16384);
}

}  // namespace

Scores ask_all(RunContext& context,
               const Model& model,
               std::span<const lm::Asked> asked,
               const Asking& asking) {
    fs::path path = context.work() / (asking.record + ".jsonl");
    Scores scores = recorded(path, asked);
    replace_file(path, lines_of(scores), /*synced=*/false);
    std::span<const lm::Asked> rest = asked.subspan(scores.size());
    std::size_t longest = 0;
    for (const lm::Asked& one : rest)
        for (const std::vector<std::int32_t>& read : one.paths)
            longest = std::max(longest, read.size());
    bool share = !lm::needs_whole_text(model.decoder().config, static_cast<std::int64_t>(longest));
    lm::Packing packing{.tokens = tokens_of_a_pass(model), .share = share};
    if (asking.batch) {
        packing.questions = static_cast<std::size_t>(*asking.batch);
        packing.tokens = std::numeric_limits<std::size_t>::max() / 2;
    }
    std::vector<lm::Pack> packs = lm::pack_questions(rest, packing);

    Descriptor record = Descriptor(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    bool stopped = false;
    auto tell = [&](std::size_t answered) {
        double share_done = static_cast<double>(answered) / static_cast<double>(asked.size());
        context.progress(
            asking.begin + (asking.end - asking.begin) * share_done,
            fmt::format("{}: {} of {} questions", asking.what, answered, asked.size()));
    };
    tell(scores.size());
    lm::score_questions(model.decoder(),
                        packs,
                        {.probabilities = asking.probabilities},
                        [&](std::span<const std::vector<double>> pass) {
                            write_all(record, lines_of(pass), path);
                            scores.insert(scores.end(), pass.begin(), pass.end());
                            tell(scores.size());
                            stopped = scores.size() < asked.size() && context.cancelled();
                            return !stopped;
                        });
    if (stopped) {
        context.saved();
        throw Stopped();
    }
    model.loaded.files->check();
    return scores;
}

std::size_t longest_text(const lm::ModelConfig& config) {
    return config.max_positions > 0 ? static_cast<std::size_t>(config.max_positions) : 2048;
}

void warn_of_cuts(RunContext& context, std::span<const lm::Asked> asked, std::size_t longest) {
    auto cut =
        std::count_if(asked.begin(), asked.end(), [](const lm::Asked& one) { return one.cut; });
    if (cut > 0)
        context.log(LogLevel::warning,
                    fmt::format("{} of {} questions are longer than the {} tokens that the model "
                                "reads: they lost their beginning",
                                cut,
                                asked.size(),
                                longest));
}

}  // namespace stillroom::evaluate
