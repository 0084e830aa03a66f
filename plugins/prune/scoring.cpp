#include "plugins/prune/scoring.h"

#include "engine/base/digest.h"
#include "engine/base/json.h"
#include "plugins/lm/modules/token_losses.h"
#include "plugins/lm/tasks/mmlu_files.h"
#include "plugins/lm/tasks/mmlu_prompt.h"
#include "plugins/lm/tasks/score.h"
#include "plugins/lm/tasks/subset.h"
#include "plugins/lm/tasks/tally.h"
#include "plugins/lm/tokenizer/tokenizer.h"
#include "plugins/prune/calibration.h"
#include "plugins/prune/kl.h"
#include "plugins/prune/pass.h"
#include "plugins/prune/score_log.h"
#include "plugins/prune/shared_pass.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

namespace stillroom::prune {
namespace {

constexpr std::uint64_t kTeacherMemory = std::uint64_t{1} << 30;

/// Indices of the candidates of one width, in their order.
std::vector<std::vector<std::size_t>> by_width(const std::vector<Judged>& judged) {
    std::vector<std::vector<std::size_t>> out;
    for (std::size_t i = 0; i < judged.size(); ++i) {
        auto same = std::find_if(out.begin(), out.end(), [&](const auto& group) {
            return judged[group.front()].candidate.shape.same_width(judged[i].candidate.shape);
        });
        if (same == out.end())
            out.push_back({i});
        else
            same->push_back(i);
    }
    return out;
}

std::string text_of(const Judged& judged) {
    return fmt::format(
        "{} of layers {}", text_of(judged.candidate.shape), fmt::join(judged.layers, " "));
}

/// Adds values that ranks have parts of, zeros elsewhere.
void add_up(std::vector<std::vector<double>>& values, const lm::Comm& comm) {
    if (comm.size() == 1)
        return;
    std::vector<double> all;
    for (const std::vector<double>& one : values)
        all.insert(all.end(), one.begin(), one.end());
    comm.sum(at::from_blob(all.data(), {std::ssize(all)}, at::kDouble), "scores").wait();
    auto next = all.begin();
    for (std::vector<double>& one : values) {
        std::copy_n(next, one.size(), one.begin());
        next += std::ssize(one);
    }
}

/// Targets of a batch: each token's next, none for the last of a row.
at::Tensor targets_of(const lm::Batch& batch) {
    at::Tensor out = at::empty({batch.ids_T.size(0)}, at::kLong);
    const auto* ids = batch.ids_T.const_data_ptr<std::int64_t>();
    auto* targets = out.mutable_data_ptr<std::int64_t>();
    for (std::int64_t begin = 0, row = 0; row < std::ssize(batch.lengths); ++row) {
        const std::int64_t end = begin + batch.lengths[static_cast<std::size_t>(row)];
        std::copy(ids + begin + 1, ids + end, targets + begin);
        targets[end - 1] = -1;
        begin = end;
    }
    return out;
}

/// Means over the tokens of each row that have a next one.
std::vector<double> mean_losses(const Headed& headed,
                                const at::Tensor& targets_T,
                                const std::vector<std::int64_t>& lengths) {
    at::Tensor each_T = lm::token_losses(*headed.decoder, headed.hidden_TD, targets_T).cpu();
    const auto* values = each_T.const_data_ptr<float>();
    std::vector<double> out;
    std::int64_t begin = 0;
    for (std::int64_t length : lengths) {
        double sum = std::accumulate(values + begin, values + begin + length - 1, 0.0);
        out.push_back(length > 1 ? sum / static_cast<double>(length - 1) : 0);
        begin += length;
    }
    return out;
}

class RowScorer {
public:
    RowScorer(const Scoring& scoring,
              const HeldOut& heldout,
              const std::vector<Task>& tasks,
              Line& line)
        : scoring_(scoring),
          line_(line),
          heldout_(heldout),
          tasks_(tasks),
          batch_(std::clamp<std::int64_t>(
              batch_tokens(scoring.machine.device) / heldout.rows.length(), 1, heldout.count)),
          teacher_(scoring.model.candidate(shape_of(scoring.model.model()))) {
        all_layers_.resize(teacher_.layers.size());
        std::iota(all_layers_.begin(), all_layers_.end(), 0);
        const auto bytes = static_cast<std::uint64_t>(heldout.count * heldout.rows.length() *
                                                      scoring.model.model().hidden * 4);
        keeps_teacher_ = bytes <= kTeacherMemory;
    }

    std::int64_t batches() const { return (heldout_.count + batch_ - 1) / batch_; }
    std::int64_t batch_rows() const { return batch_; }

    /// Of each candidate, for each task, a value for each row of the batch: tasks x candidates.
    BatchValues score(const lm::Decoder& decoder,
                      const std::vector<Depth>& depths,
                      std::int64_t index) {
        c10::InferenceMode inference;
        const std::int64_t first = index * batch_;
        lm::Batch batch = batch_of_rows(
            heldout_.rows, heldout_.first + first, std::min(batch_, heldout_.count - first));
        std::vector<Headed> headed(depths.size());
        run(decoder, batch, depths, [&](std::size_t i, const at::Tensor& hidden_TD) {
            headed[i] = {&decoder, hidden_TD};
        });
        BatchValues out;
        at::Tensor targets_T = targets_of(batch);
        for (Task task : tasks_) {
            const Headed whole = task == Task::kl ? teacher(batch, index) : Headed();
            if (!line_.is_last())
                continue;
            for (const Headed& one : headed)
                out.push_back(task == Task::kl ? mean_kl(whole, one, batch.lengths)
                                               : mean_losses(one, targets_T, batch.lengths));
        }
        return out;
    }

private:
    Headed teacher(const lm::Batch& batch, std::int64_t index) {
        if (auto known = hidden_.find(index); known != hidden_.end())
            return {&teacher_, known->second};
        Headed out{&teacher_, {}};
        run(teacher_, batch, {all_layers_}, [&](std::size_t, const at::Tensor& hidden_TD) {
            out.hidden_TD = hidden_TD;
        });
        if (keeps_teacher_)
            hidden_[index] = out.hidden_TD;  // nothing but that it ran, on a stage before the last
        return out;
    }

    void run(const lm::Decoder& decoder,
             const lm::Batch& batch,
             const std::vector<Depth>& depths,
             const Take& take) {
        run_depths(decoder, batch, depths, scoring_.model.part(), line_, take);
    }

    const Scoring& scoring_;
    Line& line_;
    const HeldOut& heldout_;
    const std::vector<Task>& tasks_;
    std::int64_t batch_;
    lm::Decoder teacher_;
    Depth all_layers_;
    bool keeps_teacher_ = false;
    std::map<std::int64_t, at::Tensor> hidden_;  // of batches, where there is room
};

/// Goes through the batches of every group of one width: what `score` says of each candidate of a
/// group, tasks x candidates, is logged, and what is logged already is not asked again.
class Rounds {
public:
    Rounds(const Scoring& scoring, std::vector<Judged>& judged)
        : scoring_(scoring),
          judged_(judged) {}

    /// `take` is given a group and all its batches.
    template <class Score, class Take>
    void run(const std::string& what, std::int64_t batches, Score score, Take take) {
        const lm::Mesh& mesh = scoring_.machine.mesh;
        auto is_own = [&](std::int64_t batch) {
            return batch % mesh.layout.data == mesh.place.data;
        };
        std::size_t finished = 0;
        for (const std::vector<std::size_t>& group : by_width(judged_)) {
            std::vector<Depth> depths;
            std::string covers = fmt::format("{} {}", scoring_.covers, what);
            for (std::size_t i : group) {
                depths.push_back(judged_[i].layers);
                covers += fmt::format(" {}", text_of(judged_[i]));
            }
            ScoreLog log(scoring_.work, covers, mesh.world.rank());
            mesh.world.barrier("the scores so far");
            lm::Decoder decoder = scoring_.decoder(judged_[group.front()].candidate.shape);
            auto tell = [&](double part) {
                const double done =
                    static_cast<double>(finished) + static_cast<double>(group.size()) * part;
                scoring_.progress(finished, done / static_cast<double>(judged_.size()));
            };
            tell(0);
            for (std::int64_t batch = 0; batch < batches; ++batch) {
                if (!log.has(batch) && is_own(batch)) {
                    BatchValues values = score(decoder, depths, batch);
                    if (mesh.is_last())
                        log.add(batch, values);
                }
                tell(static_cast<double>(batch + 1) / static_cast<double>(batches));
            }
            std::map<std::int64_t, BatchValues> own;  // each batch is one rank's, to be added up
            for (const auto& [batch, values] : log.done())
                if (mesh.is_last() && is_own(batch))
                    own[batch] = values;
            take(group, own);
            for (std::size_t i : group)
                scoring_.scored(judged_[i]);
            finished += group.size();
        }
    }

private:
    const Scoring& scoring_;
    std::vector<Judged>& judged_;
};

}  // namespace

void score_rows(const Scoring& scoring,
                const HeldOut& heldout,
                const std::vector<Task>& tasks,
                std::vector<Judged>& judged) {
    Line line(scoring.machine);
    RowScorer scorer(scoring, heldout, tasks, line);
    std::string what = fmt::format("rows {} by {}",
                                   digest_of_rows(heldout.rows, heldout.first, heldout.count),
                                   scorer.batch_rows());
    for (Task task : tasks)
        what += fmt::format(" {}", name_of(task));
    Rounds(scoring, judged)
        .run(
            what,
            scorer.batches(),
            [&](const lm::Decoder& decoder, const std::vector<Depth>& depths, std::int64_t batch) {
                return scorer.score(decoder, depths, batch);
            },
            [&](const std::vector<std::size_t>& group, const auto& batches) {
                BatchValues values(tasks.size() * group.size(),
                                   std::vector<double>(static_cast<std::size_t>(heldout.count)));
                for (const auto& [batch, lists] : batches)
                    for (std::size_t i = 0; i < lists.size(); ++i)
                        std::copy(lists[i].begin(),
                                  lists[i].end(),
                                  values[i].begin() + batch * scorer.batch_rows());
                add_up(values, scoring.machine.world());
                for (std::size_t task = 0; task < tasks.size(); ++task)
                    for (std::size_t i = 0; i < group.size(); ++i)
                        judged[group[i]].tasks.push_back(
                            {.task = tasks[task], .units = values[task * group.size() + i]});
            });
}

Questions read_questions(const MinitronSettings& settings,
                         const std::filesystem::path& tokenizer_folder,
                         const lm::ModelConfig& model) {
    const auto& score = settings.score;
    const auto few_shot = static_cast<std::size_t>(score.few_shot);
    lm::QuestionSet set = lm::read_mmlu(*settings.questions, few_shot > 0);
    lm::Tokenizer tokenizer = lm::Tokenizer::read(tokenizer_folder);
    const std::vector<std::int32_t> letters = letters_of(tokenizer);
    const auto longest = static_cast<std::size_t>(model.max_positions > 0 ? model.max_positions
                                                                          : std::int64_t{1} << 20);
    lm::Subset subset{.rule = score.subset == MinitronSettings::Score::Subset::first
                                  ? lm::SubsetRule::first
                                  : lm::SubsetRule::stratified,
                      .fraction = score.fraction,
                      .seed = settings.seed};
    Questions out;
    RunningDigest digest;
    digest.add(set.digest);
    for (std::size_t i = 0; i < set.subjects.size(); ++i) {
        const lm::Subject& subject = set.subjects[i];
        const std::string prefix = lm::mmlu_prefix(subject, few_shot, lm::PromptRule::standard);
        out.total += std::ssize(subject.questions);
        for (std::size_t index : lm::chosen(subset, subject.name, subject.questions.size())) {
            const lm::Question& question = subject.questions[index];
            lm::Asked asked =
                lm::ask_ids(tokenizer,
                            prefix + lm::mmlu_question(question, lm::PromptRule::standard),
                            letters,
                            longest);
            asked.group = i;
            for (const auto& path : asked.paths)
                digest.add({reinterpret_cast<const char*>(path.data()),
                            path.size() * sizeof(path.front())});
            out.asked.push_back(std::move(asked));
            out.right.push_back(question.answer);
        }
    }
    out.digest = digest.hex();
    return out;
}

void score_questions(const Scoring& scoring,
                     const Questions& questions,
                     std::vector<Judged>& judged) {
    lm::Packing packing{.tokens = static_cast<std::size_t>(batch_tokens(scoring.machine.device)),
                        .keep = false};  // several decoders take the same packs
    if (const auto* batch = std::get_if<std::int64_t>(&scoring.settings.score.batch))
        packing.questions = static_cast<std::size_t>(*batch);
    const std::vector<lm::Pack> packs = lm::pack_questions(questions.asked, packing);
    Line line(scoring.machine);
    auto score =
        [&](const lm::Decoder& decoder, const std::vector<Depth>& depths, std::int64_t index) {
            c10::InferenceMode inference;
            const lm::Pack& pack = packs[static_cast<std::size_t>(index)];
            BatchValues out(depths.size());
            auto answer = [&](std::size_t i, const at::Tensor& hidden_TD) {
                for (const std::vector<double>& each : lm::scores_of(decoder, hidden_TD, pack))
                    out[i].push_back(static_cast<double>(lm::best_of(each)));
            };
            run_depths(decoder, lm::batch_of(pack), depths, scoring.model.part(), line, answer);
            return out;
        };
    auto take = [&](const std::vector<std::size_t>& group, const auto& batches) {
        BatchValues answers(group.size(), std::vector<double>(questions.asked.size()));
        for (const auto& [batch, lists] : batches) {
            const lm::Pack& pack = packs[static_cast<std::size_t>(batch)];
            for (std::size_t i = 0; i < lists.size(); ++i)
                for (std::size_t q = 0; q < lists[i].size(); ++q)
                    answers[i][pack.questions[q].question] = lists[i][q];
        }
        add_up(answers, scoring.machine.world());
        for (std::size_t i = 0; i < group.size(); ++i) {
            TaskScore of{.task = Task::mmlu, .total = questions.total};
            for (std::size_t q = 0; q < answers[i].size(); ++q) {
                const auto answer = static_cast<std::size_t>(answers[i][q]);
                of.units.push_back(answer == questions.right[q] ? 1 : 0);
                of.answers += static_cast<char>('A' + answer);
            }
            judged[group[i]].tasks.push_back(std::move(of));
        }
    };
    // How questions are packed decides which lines of the log are whose, never an answer.
    std::string what = fmt::format("questions {} in {} packs", questions.digest, packs.size());
    Rounds(scoring, judged).run(what, std::ssize(packs), score, take);
}

}  // namespace stillroom::prune
