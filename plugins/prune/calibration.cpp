#include "plugins/prune/calibration.h"

#include "engine/base/digest.h"
#include "engine/base/error.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::prune {
namespace {

[[noreturn]] void refuse_few(std::int64_t rows, std::int64_t samples) {
    throw Error({},
                fmt::format("samples is {}, but the calibration text has {} {}",
                            samples,
                            rows,
                            rows == 1 ? "row" : "rows"))
        .key("samples")
        .hint(fmt::format("samples={}, a shorter sequence, more text, or allow_short=true", rows))
        .exit_code(kExitBadInput);
}

constexpr std::int64_t kMostKept = 64;  // rows: as many as candidates are judged by

}  // namespace

std::int64_t kept_out(std::int64_t rows) {
    return rows < 2 ? 0 : std::clamp<std::int64_t>(rows / 8, 1, kMostKept);
}

std::int64_t row_length(const StageContext& context,
                        std::int64_t sequence,
                        const lm::ModelConfig& model) {
    if (model.max_positions <= 0 || sequence <= model.max_positions)
        return sequence;
    if (context.given("sequence"))
        context.refuse("sequence",
                       fmt::format("rows of {} tokens, but the model knows {} positions",
                                   sequence,
                                   model.max_positions),
                       fmt::format("sequence={} at most", model.max_positions));
    return model.max_positions;
}

std::int64_t sample_rows(StageContext& context,
                         std::int64_t rows,
                         std::int64_t samples,
                         bool allow_short) {
    if (rows == 0)
        throw Error({}, "the calibration text has no row")
            .key("calibration")
            .exit_code(kExitBadInput);
    const bool is_asked = context.given("samples") && !allow_short;
    if (is_asked && rows < samples)
        refuse_few(rows, samples);
    if (is_asked || rows > samples)
        return samples;
    const std::int64_t kept = kept_out(rows);
    context.log(
        LogLevel::warning,
        fmt::format("the calibration text has {} rows, not more than {} samples: {}",
                    rows,
                    samples,
                    kept == 0
                        ? "all are measured"
                        : fmt::format("{} are measured, the last {} kept for judging candidates",
                                      rows - kept,
                                      kept)));
    return rows - kept;
}

void check_samples(const StageContext& context,
                   const std::filesystem::path& dataset,
                   std::int64_t length,
                   std::int64_t samples,
                   bool allow_short) {
    if (!lm::has_dataset_info(dataset) || !context.given("samples") || allow_short)
        return;
    lm::Count rows = lm::count_rows(lm::read_dataset_info(dataset), length, true);
    if (rows.most && *rows.most < samples)
        refuse_few(*rows.most, samples);
}

void refuse_none_held_out(std::int64_t rows) {
    throw Error({},
                fmt::format("the calibration text has {} {}, and importance is measured on all of "
                            "it: none is left to judge candidates by",
                            rows,
                            rows == 1 ? "row" : "rows"))
        .key("calibration")
        .hint(rows == 1 ? "a shorter sequence, more text, or heldout=TEXT"
                        : fmt::format("samples={} or allow_short=true, more text, or heldout=TEXT",
                                      rows - kept_out(rows)))
        .exit_code(kExitBadInput);
}

void check_held_out(const StageContext& context,
                    const std::filesystem::path& dataset,
                    std::int64_t length,
                    std::int64_t samples,
                    bool allow_short) {
    if (!lm::has_dataset_info(dataset))
        return;
    lm::Count rows = lm::count_rows(lm::read_dataset_info(dataset), length, true);
    const bool takes_all = context.given("samples") && !allow_short;
    if (takes_all && rows.known() && rows.least == samples)
        refuse_none_held_out(rows.least);
}

std::string digest_of_rows(const lm::Rows& rows, std::int64_t first, std::int64_t count) {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(rows.length()));
    RunningDigest digest;
    for (std::int64_t row = first; row < first + count; ++row) {
        auto length = static_cast<std::size_t>(rows.read(row, ids));
        digest.add({reinterpret_cast<const char*>(ids.data()), length * sizeof(ids.front())});
    }
    return digest.hex();
}

}  // namespace stillroom::prune
