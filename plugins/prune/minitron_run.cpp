#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/units.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/prune/calibration.h"
#include "plugins/prune/compute.h"
#include "plugins/prune/layout_of.h"
#include "plugins/prune/pass.h"
#include "plugins/prune/prune_report.h"
#include "plugins/prune/request.h"
#include "plugins/prune/scoring.h"
#include "plugins/prune/search_report.h"
#include "plugins/prune/written_logits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace stillroom::prune {
namespace fs = std::filesystem;
namespace {

using Key = MinitronSettings::Key;

// What part of the work is done when candidates are scored, and when the weights are written.
constexpr double kScored = 0.85, kWritten = 0.95;

class Pruner {
public:
    Pruner(const MinitronSettings& settings, RunContext& context)
        : settings_(settings),
          context_(context),
          source_(context.input("model")),
          model_(lm::ConfigFile::read(source_ / "config.json").model()),
          scores_(read_scores(context.input("scores"), model_)),
          machine_(machine_of(context, layout(settings, context, model_))),
          votes_(machine_.world(), static_cast<std::size_t>(machine_.mesh.layout.pipeline)) {
        facts_.settings = &settings_;
        facts_.scores = &scores_;
        facts_.source_fingerprint = fingerprint_of_model(source_);
        const Json* known = scores_.about.find("model");
        if (!known || known->at("fingerprint").string() != facts_.source_fingerprint)
            throw Error({}, "the scores were measured on another model")
                .key("scores")
                .hint("leave the port scores out, and they are measured on this one")
                .exit_code(kExitBadInput);
    }

    void run() {
        Shape shape = settings_.shape ? by_hand() : by_search();
        votes_.wait();
        if (!machine_.first_rank())
            return;
        reordered_.reset();  // all that comes is read from the files, a part at a time
        const fs::path folder = context_.output("model");
        write(folder, shape);
        check_logits(folder, shape);
        tell(folder);
    }

private:
    /// Ranks that shared each layer while importance was measured have no such share here: of a
    /// candidate's few heads and odd widths there is none. They share rows and questions.
    static lm::Layout layout(const MinitronSettings& settings,
                             const RunContext& context,
                             const lm::ModelConfig& model) {
        lm::Layout out =
            checked_layout(wish_of(settings.parallel), context.rank().world, model, Key().parallel);
        out.data *= std::exchange(out.tensor, 1);
        return out;
    }

    Orders orders(std::int64_t group_heads) const {
        return Orders(model_,
                      scores_,
                      {.block = settings_.depth == MinitronSettings::Depth::block,
                       .prune_kv_groups = settings_.kv_groups == MinitronSettings::KvGroups::prune,
                       .group_heads = group_heads});
    }

    Shape by_hand() {
        ManualRequest request = manual_request(settings_, model_);
        require_scores(scores_, shape_of(model_), request.shape, request.layers.has_value());
        orders_.emplace(orders(request.shape.heads / request.shape.kv_heads));
        facts_.pruned.cut = orders_->cut(request.shape, request.layers);
        return request.shape;
    }

    Shape by_search() {
        Found found = search_for(settings_, model_);
        std::vector<Candidate> candidates = candidates_of(settings_, found);
        context_.log(LogLevel::info, search_text(found, candidates));
        orders_.emplace(orders(0));
        for (const Candidate& one : candidates) {
            require_scores(scores_, shape_of(model_), one.shape, false);
            facts_.judged.push_back(
                {.candidate = one, .layers = orders_->layers(one.shape.layers)});
        }
        facts_.tasks = tasks_of(settings_);
        facts_.found = std::move(found);
        if (facts_.judged.size() > 1 || settings_.score.lower_bound)
            judge();
        if (!facts_.judged.front().tasks.empty())
            facts_.chosen = pick(facts_.judged, facts_.tasks);
        const Judged& best = facts_.judged[facts_.chosen];
        facts_.pruned.cut = orders_->cut(best.candidate.shape, best.layers);
        return best.candidate.shape;
    }

    void judge() {
        reordered_.emplace(source_, model_, *orders_, machine_);
        HeldOut heldout = held_out();
        facts_.heldout_rows = heldout.count;
        Scoring scoring = scoring_of();
        if (settings_.prefilter)
            prefilter(scoring, heldout);
        std::vector<Task> tasks;
        for (const WeightedTask& one : facts_.tasks)
            if (one.task != Task::mmlu)
                tasks.push_back(one.task);
        const bool asks = has_task(facts_.tasks, Task::mmlu);
        if (!tasks.empty()) {
            begin("candidate", facts_.judged.size(), asks ? 0.3 : 1);
            score_rows(scoring, heldout, tasks, facts_.judged);
        }
        if (!asks)
            return;
        begin("candidate", facts_.judged.size(), tasks.empty() ? 0.8 : 1);
        score_questions(
            scoring, read_questions(settings_, tokenizer_folder(context_), model_), facts_.judged);
        if (tasks.empty())
            part_ties(scoring, heldout);
    }

    /// Answers that are too close to tell apart: the held-out rows decide between those.
    void part_ties(const Scoring& scoring, const HeldOut& heldout) {
        pick(facts_.judged, facts_.tasks);
        std::vector<Judged> ties;
        for (const Judged& one : facts_.judged)
            if (one.tied)
                ties.push_back(one);
        if (ties.empty() || heldout.count == 0)
            return;
        begin("tie", ties.size(), 1);
        score_rows(scoring, heldout, {Task::kl}, ties);
        for (Judged& one : facts_.judged)
            if (one.tied) {
                one.tasks.push_back(ties.front().tasks.back());
                ties.erase(ties.begin());
            }
    }

    /// A first look by kl; the best of it are scored.
    void prefilter(const Scoring& scoring, HeldOut& heldout) {
        if (std::ssize(facts_.judged) <= settings_.top_k)
            return;
        const std::int64_t rows =
            (settings_.prefilter->tokens + heldout.rows.length() - 1) / heldout.rows.length();
        const std::int64_t all = std::exchange(heldout.count, std::min(heldout.count, rows));
        begin("first look at candidate", facts_.judged.size(), 0.5);
        score_rows(scoring, heldout, {Task::kl}, facts_.judged);
        heldout.count = all;
        std::vector<Judged>& judged = facts_.judged;
        std::stable_sort(judged.begin(), judged.end(), [](const Judged& a, const Judged& b) {
            return a.tasks.front().value() < b.tasks.front().value();
        });
        judged.resize(static_cast<std::size_t>(settings_.top_k));
        std::stable_sort(judged.begin(), judged.end(), [&](const Judged& a, const Judged& b) {
            const Bounds bounds = search_options(settings_, model_).bounds;
            return bounds.primary(a.candidate.metrics) > bounds.primary(b.candidate.metrics);
        });
        for (Judged& one : judged)
            one.tasks.clear();
    }

    HeldOut held_out() const {
        const std::int64_t length = row_length(context_, settings_.sequence, model_);
        const bool own = context_.has("heldout");
        HeldOut out{.rows = lm::Rows::open(context_.input(own ? "heldout" : "calibration"),
                                           {.length = length, .vocabulary = model_.vocab})};
        if (!own)
            out.first = measured_rows(out.rows);
        out.count = std::min(settings_.score.rows, out.rows.size() - out.first);
        const bool reads_rows =
            settings_.prefilter || facts_.tasks.size() > 1 || !has_task(facts_.tasks, Task::mmlu);
        if (out.count == 0 && reads_rows && own)
            throw Error({}, "the held-out text has no row").key("heldout").exit_code(kExitBadInput);
        if (out.count == 0 && reads_rows)
            refuse_none_held_out(out.rows.size());
        return out;
    }

    /// The first so many of the calibration text's rows are the ones that the scores are of.
    std::int64_t measured_rows(const lm::Rows& rows) const {
        const std::int64_t length = scores_.about.at("sequence").integer();
        const std::int64_t measured =
            length == rows.length() ? scores_.raw.rows
                                    : (scores_.raw.tokens + rows.length() - 1) / rows.length();
        const bool is_of_this_text =
            length != rows.length() ||
            (measured <= rows.size() &&
             digest_of_rows(rows, 0, measured) == scores_.about.at("data").at("digest").string());
        return is_of_this_text ? std::min(rows.size(), measured) : 0;
    }

    const NormFactors* factors(const Shape& shape) {
        if (!settings_.rescale_norm || shape.hidden == model_.hidden)
            return nullptr;
        std::vector<std::int64_t> hidden(orders_->hidden().begin(),
                                         orders_->hidden().begin() + shape.hidden);
        factors_ = norm_factors(model_, hidden, scores_, lm::TensorFolder::open(source_));
        return &factors_;
    }

    lm::Decoder decoder_of(const Shape& shape) {
        return reordered_->candidate(shape, factors(shape), settings_.merge_heads);
    }

    Scoring scoring_of() {
        const std::string covers =
            fmt::format("{} {} {} {}",
                        facts_.source_fingerprint,
                        scores_.about.at("data").at("digest").string(),
                        machine_.type_name,
                        fmt::format("{} {} {}",
                                    settings_.merge_heads,
                                    settings_.rescale_norm,
                                    settings_.kv_groups == MinitronSettings::KvGroups::prune));
        return {.settings = settings_,
                .model = *reordered_,
                .machine = machine_,
                .work = context_.work(),
                .covers = covers,
                .decoder = [this](const Shape& shape) { return decoder_of(shape); },
                .progress =
                    [this](std::size_t done, double part) {
                        context_.saved();
                        context_.progress(
                            kScored * (phase_.begin + (phase_.end - phase_.begin) * part),
                            fmt::format("{} {} of {}{}",
                                        phase_.what,
                                        std::min(done + 1, phase_.candidates),
                                        phase_.candidates,
                                        best_so_far_));
                        if (votes_.stop(context_.cancelled()))
                            throw Stopped();
                    },
                .scored = [this](const Judged& judged) { tell_score(judged); }};
    }

    /// A line of the table that the report ends with, as soon as it is known.
    void tell_score(const Judged& judged) {
        const TaskScore& score = judged.tasks.back();
        const bool is_first = !best_ || best_->task != score.task;
        const double value = score.value();
        if (is_first || (score.task == Task::mmlu ? value > best_->value : value < best_->value)) {
            best_ = {.task = score.task, .value = value};
            best_so_far_ = fmt::format("; best {} so far {:.4f}: {}",
                                       name_of(score.task),
                                       value,
                                       text_of(judged.candidate.shape));
        }
        if (machine_.first_rank())
            context_.log(LogLevel::info,
                         fmt::format("{}: {} {:.4f} +-{:.4f}",
                                     text_of(judged.candidate.shape),
                                     name_of(score.task),
                                     value,
                                     score.error()));
    }

    /// What is scored next, and what share of all scoring that is.
    void begin(std::string what, std::size_t candidates, double share) {
        phase_ = {.what = std::move(what),
                  .candidates = candidates,
                  .begin = phase_.end,
                  .end = phase_.end + (1 - phase_.end) * share};
        best_.reset();
        best_so_far_.clear();
    }

    void write(const fs::path& folder, const Shape& shape) {
        Pruned& pruned = facts_.pruned;
        pruned.before = model_;
        pruned.after = lm::cut_model(model_, pruned.cut);
        if (settings_.merge_heads && !scores_.heads.empty())
            add_merged_heads(pruned.changes, model_, pruned.cut, scores_);
        if (const NormFactors* norms = factors(shape))
            add_rescaled_norms(pruned.changes, model_, pruned.cut, *norms);
        ShapeCounter counter(model_, search_serving());
        facts_.before = counter.count(shape_of(model_));
        facts_.after = counter.count(shape);
        write_pruned(
            context_, source_, folder, pruned, [&](std::uint64_t done, std::uint64_t total) {
                double part = total ? static_cast<double>(done) / static_cast<double>(total) : 1;
                context_.progress(kScored + (kWritten - kScored) * part, "writing");
                if (context_.cancelled())
                    throw Stopped();
            });
        check_written(source_, folder, pruned, context_.threads());
    }

    Serving search_serving() const {
        return {.batch = settings_.memory.batch,
                .sequence = settings_.memory.sequence,
                .kv_bytes = settings_.memory.kv_bytes,
                .weight_bytes = settings_.memory.weight_bytes};
    }

    /// The folder as any reader takes it, beside the slices of the model in order.
    void check_logits(const fs::path& folder, const Shape& shape) {
        constexpr std::int64_t kRows = 2, kLength = 32;
        context_.progress(kWritten, "comparing logits");
        const bool partly = settings_.merge_heads && orders_->by_groups();
        const std::uint64_t needed = bytes_to_compare(model_);
        const std::uint64_t room = free_memory(machine_.device);
        if (partly || (room > 0 && needed > room / 2)) {
            facts_.no_check = partly ? "heads of whole groups were merged"
                                     : fmt::format("that takes {} of memory, {} are free",
                                                   size_text(needed),
                                                   size_text(room));
            return;
        }
        lm::Rows rows = lm::Rows::open(
            context_.input("calibration"),
            {.length = std::min(kLength, row_length(context_, settings_.sequence, model_)),
             .vocabulary = model_.vocab});
        // In fp32 whatever was scored in: another order of channels rounds bf16 elsewhere.
        LogitsCheck check = compare_logits(source_,
                                           *orders_,
                                           {.model = model_,
                                            .shape = shape,
                                            .by_groups = orders_->by_groups(),
                                            .merge_heads = settings_.merge_heads,
                                            .factors = factors(shape)},
                                           facts_.pruned.cut,
                                           folder,
                                           batch_of_rows(rows, 0, std::min(kRows, rows.size())),
                                           machine_.device);
        // What options change is rounded to the type of the file.
        const bool exact = facts_.pruned.changes.empty();
        if (exact ? !(check.max <= 1e-4 * std::max(1.0, check.largest)) : !(check.cosine >= 0.9999))
            throw Error({},
                        fmt::format("the written model computes other logits than the candidate: "
                                    "they differ by up to {:.3g}, cosine {:.6f}",
                                    check.max,
                                    check.cosine))
                .hint("nothing was kept; this is a fault of Stillroom's, please report it")
                .exit_code(kExitIntegrity);
        facts_.check = check;
    }

    void tell(const fs::path& folder) {
        write_record_file(folder / "stillroom_prune.json", provenance_json(facts_) + "\n");
        const fs::path report = context_.output("report");
        const std::string words = report_text(facts_);
        write_record_file(report / "report.json", report_json(facts_) + "\n");
        write_record_file(report / "report.md", words);
        context_.text(words);
        if (facts_.judged.empty() || facts_.judged.front().tasks.empty())
            return;
        const double score = score_of(facts_.judged[facts_.chosen], facts_.tasks);
        context_.metric("score", score, 0);
        if (settings_.score.lower_bound && score < *settings_.score.lower_bound)
            context_.gate(fmt::format("the best score is {:.4f}, below the bound {:.4f}",
                                      score,
                                      *settings_.score.lower_bound));
    }

    const MinitronSettings& settings_;
    RunContext& context_;
    fs::path source_;
    lm::ModelConfig model_;
    Scores scores_;
    Machine machine_;
    Votes votes_;
    std::optional<Orders> orders_;
    std::optional<Reordered> reordered_;
    NormFactors factors_;
    PruneFacts facts_;

    struct Phase {
        std::string what;
        std::size_t candidates = 0;
        double begin = 0, end = 0;  ///< of all scoring
    };
    Phase phase_;
    struct Best {
        Task task = Task::kl;
        double value = 0;
    };
    std::optional<Best> best_;
    std::string best_so_far_;
};

}  // namespace

void stillroom_prune_minitron(const MinitronSettings& settings, RunContext& context) try {
    Pruner(settings, context).run();
} catch (const Stopped&) {
}

}  // namespace stillroom::prune
