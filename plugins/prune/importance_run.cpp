#include "engine/base/error.h"
#include "engine/base/json.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/prune/calibration.h"
#include "plugins/prune/compute.h"
#include "plugins/prune/layout_of.h"
#include "plugins/prune/pass.h"
#include "plugins/prune/request.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace stillroom::prune {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kActivations = 48;  // bytes that a pass holds for each channel of a token

std::set<Hparam> hooks_of(const ImportanceSettings& settings) {
    if (settings.hooks)
        return hparams_of(*settings.hooks, ImportanceSettings::Key().hooks);
    return {std::begin(kHparams), std::end(kHparams)};
}

/// Whole rows of a pass, and of a stream where the weights do not all fit.
void choose_sizes(const ImportanceSettings& settings,
                  const fs::path& folder,
                  const lm::ModelConfig& model,
                  std::int64_t length,
                  const Machine& machine,
                  PassOptions& options) {
    const auto* rows = std::get_if<std::int64_t>(&settings.batch);
    options.batch = rows ? *rows : std::max<std::int64_t>(1, batch_tokens(machine.device) / length);
    options.batch = std::min(options.batch, options.rows);
    const std::uint64_t room = free_memory(machine.device) / 10 * 9;
    const std::uint64_t widest =
        static_cast<std::uint64_t>(std::max(model.hidden, model.layers.front().mlp->width));
    const std::uint64_t pass =
        static_cast<std::uint64_t>(options.batch * length) * widest * kActivations;
    const std::uint64_t weights = bytes_to_load(folder, machine.part_of(model), machine.type);
    options.stream = machine.world().any(room > 0 && weights + pass > room, "weights do not fit");
    const std::uint64_t row = static_cast<std::uint64_t>(length * model.hidden) * 4;
    options.streamed_rows = static_cast<std::int64_t>(
        std::max<std::uint64_t>(1, (room > pass ? (room - pass) / 2 : 0) / row));
    // All do alike: a stage of a pipeline sends what the next one takes in the same order.
    at::Tensor fewest = at::full({1}, -options.streamed_rows, at::kLong);
    machine.world().max(fewest, "rows at once").wait();
    options.streamed_rows = -fewest.item<std::int64_t>();
}

std::string about(const ImportanceSettings& settings,
                  const fs::path& folder,
                  const lm::ModelConfig& model,
                  const lm::Rows& rows,
                  const PassOptions& options,
                  const Machine& machine,
                  const RawScores& raw) {
    const Shape shape = shape_of(model);
    JsonWriter out(1);
    out.begin_object();
    out.key("format"), out.integer(1);
    out.key("model"), out.begin_object();
    out.key("fingerprint"), out.string(fingerprint_of_model(folder));
    for (Hparam hparam : kHparams)
        out.key(name_of(hparam)), out.integer(shape.of(hparam));
    out.key("num_query_groups"), out.integer(shape.kv_heads);
    out.end_object();
    out.key("data"), out.begin_object();
    out.key("digest"), out.string(digest_of_rows(rows, 0, options.rows));
    out.key("tokenizer"), out.string(rows.info().tokenizer);
    out.end_object();
    out.key("samples"), out.integer(settings.samples);
    out.key("rows"), out.integer(raw.rows);
    out.key("sequence"), out.integer(rows.length());
    out.key("tokens"), out.integer(raw.tokens);
    out.key("hooks"), out.begin_array();
    for (Hparam hparam : options.hooks)
        out.string(name_of(hparam));
    out.end_array();
    out.key("dtype"), out.string(machine.type_name);
    out.end_object();
    return out.take();
}

void warn_of_idle_layers(const RawScores& raw, RunContext& context) {
    for (std::size_t i = 0; i < raw.layers.size(); ++i)
        if (raw.layers[i] <= 0)
            context.log(
                LogLevel::warning,
                fmt::format("layer {} does nothing: its score is {:.3g}", i, raw.layers[i]));
}

}  // namespace

void stillroom_prune_importance(const ImportanceSettings& settings, RunContext& context) try {
    const fs::path folder = context.input("model");
    lm::ModelConfig model = lm::ConfigFile::read(folder / "config.json").model();
    const std::int64_t length = row_length(context, settings.sequence, model);
    lm::Rows rows =
        lm::Rows::open(context.input("calibration"), {.length = length, .vocabulary = model.vocab});
    Machine machine = machine_of(context,
                                 checked_layout(wish_of(settings.parallel),
                                                context.rank().world,
                                                model,
                                                ImportanceSettings::Key().parallel));
    PassOptions options;
    options.hooks = hooks_of(settings);
    options.rows = sample_rows(context, rows.size(), settings.samples, settings.allow_short);
    choose_sizes(settings, folder, model, length, machine, options);
    const auto begin = std::chrono::steady_clock::now();
    Votes votes(machine.world(), calls_ahead(options, machine.mesh.layout));
    options.progress = [&](std::int64_t done) {
        context.progress(
            static_cast<double>(done) / static_cast<double>(options.rows),
            fmt::format(
                "row {} of {}{}", done, options.rows, options.stream ? ", layer by layer" : ""));
        if (votes.stop(context.cancelled()))
            throw Stopped();
    };
    RawScores raw = measure(folder, rows, options, machine);
    votes.wait();
    require_numbers(raw);
    if (!machine.first_rank())
        return;
    warn_of_idle_layers(raw, context);
    std::string words = about(settings, folder, model, rows, options, machine, raw);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    Scores scores = scores_of(std::move(raw), model.layers.front().attention->head_dim);
    write_scores(context, context.output("scores"), scores, words);
    context.text(
        fmt::format("measured on {} rows, {} tokens, in {:.1f} s ({:.0f} tokens a second)\n",
                    scores.raw.rows,
                    scores.raw.tokens,
                    seconds,
                    static_cast<double>(scores.raw.tokens) / seconds));
} catch (const Stopped&) {
}

}  // namespace stillroom::prune
