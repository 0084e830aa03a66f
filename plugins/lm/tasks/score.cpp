#include "plugins/lm/tasks/score.h"

#include "plugins/lm/modules/token_losses.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <optional>

namespace stillroom::lm {
namespace {

using Scores = std::vector<std::vector<double>>;

at::Tensor indices(const std::vector<std::int64_t>& values, const at::Tensor& like) {
    return at::tensor(values, at::kLong).to(like.device());
}

/// Questions whose answers are single ids at one place: of the head only these ids' rows.
class AnswersAtOnePlace {
public:
    void add(std::size_t place, const PackedQuestion& question) {
        places_.push_back(place);
        rows_.push_back(question.choices.front().rows.front());
        firsts_.push_back(question.choices.front().targets.front());
        for (const PackedChoice& choice : question.choices)
            ids_.push_back(choice.targets.front());
        questions_.push_back(&question);
    }

    void score(const Decoder& decoder,
               const at::Tensor& hidden_TD,
               bool probabilities,
               Scores& scores) {
        if (rows_.empty())
            return;
        std::sort(ids_.begin(), ids_.end());
        ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
        at::Tensor hidden_RD = hidden_TD.index_select(0, indices(rows_, hidden_TD));
        at::Tensor head_ID = decoder.lm_head.index_select(0, indices(ids_, decoder.lm_head));
        at::Tensor logits_RI = at::linear(hidden_RD, head_ID).to(at::kFloat);
        if (auto cap = decoder.config.final_cap)
            logits_RI = at::tanh(logits_RI / *cap) * *cap;
        logits_RI = logits_RI.cpu();
        at::Tensor losses_R;
        if (probabilities)
            losses_R = token_losses(decoder, hidden_RD, indices(firsts_, hidden_TD)).cpu();
        for (std::size_t row = 0; row < questions_.size(); row++) {
            const float* logits =
                logits_RI.const_data_ptr<float>() + static_cast<std::ptrdiff_t>(row * ids_.size());
            double less = 0;  // the logarithm of the sum over the vocabulary
            if (probabilities)
                less = double{logits[column(firsts_[row])]} +
                       double{losses_R.const_data_ptr<float>()[row]};
            for (const PackedChoice& choice : questions_[row]->choices)
                scores[places_[row]].push_back(logits[column(choice.targets.front())] - less);
        }
    }

private:
    std::ptrdiff_t column(std::int64_t id) const {
        return std::lower_bound(ids_.begin(), ids_.end(), id) - ids_.begin();
    }

    std::vector<std::size_t> places_;
    std::vector<const PackedQuestion*> questions_;
    std::vector<std::int64_t> rows_, firsts_, ids_;
};

/// Questions whose answers are texts: the log-probabilities of their tokens, summed.
void score_texts(const Decoder& decoder,
                 const at::Tensor& hidden_TD,
                 const Pack& pack,
                 Scores& scores) {
    std::vector<std::int64_t> rows, targets;
    for (const PackedQuestion& question : pack.questions)
        if (!question.one_place)
            for (const PackedChoice& choice : question.choices) {
                rows.insert(rows.end(), choice.rows.begin(), choice.rows.end());
                targets.insert(targets.end(), choice.targets.begin(), choice.targets.end());
            }
    if (rows.empty())
        return;
    at::Tensor losses_R = token_losses(decoder,
                                       hidden_TD.index_select(0, indices(rows, hidden_TD)),
                                       indices(targets, hidden_TD))
                              .cpu()
                              .contiguous();
    const float* loss = losses_R.const_data_ptr<float>();
    for (std::size_t i = 0; i < pack.questions.size(); i++)
        if (!pack.questions[i].one_place)
            for (const PackedChoice& choice : pack.questions[i].choices) {
                double sum = 0;
                for (std::size_t token = 0; token < choice.rows.size(); token++)
                    sum -= double{*loss++};
                scores[i].push_back(sum);
            }
}

}  // namespace

Batch batch_of(const Pack& pack, KvCache* earlier, KvCache* later) {
    Batch batch{
        .ids_T = at::tensor(pack.ids, at::kLong), .lengths = pack.lengths, .after = pack.after};
    if (pack.goes_on || pack.keeps)
        batch.caches.assign(pack.lengths.size(), nullptr);
    if (pack.keeps)
        batch.caches[*pack.keeps] = later;
    if (pack.goes_on)
        batch.caches.front() = earlier;
    return batch;
}

Scores scores_of(const Decoder& decoder,
                 const at::Tensor& hidden_TD,
                 const Pack& pack,
                 const Scoring& scoring) {
    Scores scores(pack.questions.size());
    AnswersAtOnePlace at_one_place;
    for (std::size_t i = 0; i < pack.questions.size(); i++)
        if (pack.questions[i].one_place)
            at_one_place.add(i, pack.questions[i]);
    at_one_place.score(decoder, hidden_TD, scoring.probabilities, scores);
    score_texts(decoder, hidden_TD, pack, scores);
    return scores;
}

Scores score_questions(
    const Decoder& decoder,
    std::span<const Pack> packs,
    const Scoring& scoring,
    const std::function<bool(std::span<const std::vector<double>> pass)>& after_pass) {
    c10::InferenceMode inference;
    Scores all;
    std::optional<KvCache> earlier;
    for (const Pack& pack : packs) {
        KvCache fresh(decoder.layers.size());
        bool same = pack.goes_on && pack.keeps == std::size_t{0};
        Batch batch = batch_of(pack, pack.goes_on ? &*earlier : nullptr, same ? &*earlier : &fresh);
        Scores scores = scores_of(decoder, hidden_states(decoder, batch), pack, scoring);
        if (pack.keeps && !same)
            earlier = std::move(fresh);
        bool go_on = !after_pass || after_pass(scores);
        std::move(scores.begin(), scores.end(), std::back_inserter(all));
        if (!go_on)
            break;
    }
    return all;
}

}  // namespace stillroom::lm
