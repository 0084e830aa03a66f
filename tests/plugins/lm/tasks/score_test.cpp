#include "plugins/lm/tasks/score.h"

#include "plugins/lm/tasks/tally.h"
#include "tests/plugins/lm/modules/cases.h"

#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <doctest/doctest.h>

#include <cmath>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

using Ids = std::vector<std::int32_t>;
using Scores = std::vector<std::vector<double>>;

/// Ids by their place: any will do.
Ids ids(std::int64_t vocab, std::size_t count, std::int64_t seed) {
    Ids out;
    for (std::size_t i = 0; i < count; i++)
        out.push_back(
            static_cast<std::int32_t>((seed * 7919 + std::int64_t(i * i) * 31 + 5) % vocab));
    return out;
}

Ids joined(Ids first, const Ids& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

/// Questions of two subjects: letters at one place in the first, texts of several tokens in the
/// second.
std::vector<Asked> some_questions(std::int64_t vocab) {
    std::vector<Asked> out;
    Ids examples = ids(vocab, 40, 1), others = ids(vocab, 9, 2);
    for (std::int64_t i = 0; i < 7; i++) {
        Asked asked;
        asked.paths = {joined(examples, ids(vocab, 5 + std::size_t(i) * 9, 10 + i))};
        for (std::int32_t letter = 3; letter < 7; letter++)
            asked.choices.push_back({.path = 0, .targets = {letter}});
        out.push_back(asked);
    }
    for (std::int64_t i = 0; i < 4; i++) {
        Asked asked;
        asked.group = 1;
        Ids stem = joined(others, ids(vocab, 6, 30 + i));
        for (std::size_t choice = 0; choice < 3; choice++) {
            Ids answer = ids(vocab, 1 + choice * 2, 40 + i + std::int64_t(choice));
            asked.paths.push_back(joined(stem, {answer.begin(), answer.end() - 1}));
            asked.choices.push_back({.path = choice, .targets = answer});
        }
        out.push_back(asked);
    }
    return out;
}

/// One path after another through the whole model and its whole head.
Scores plain_scores(const Decoder& decoder, const std::vector<Asked>& questions) {
    c10::InferenceMode inference;
    Scores out;
    for (const Asked& asked : questions) {
        out.emplace_back();
        for (const AskedChoice& choice : asked.choices) {
            const Ids& path = asked.paths[choice.path];
            std::vector<std::int64_t> row(path.begin(), path.end());
            Batch batch = batch_of_rows(at::tensor(row, at::kLong).unsqueeze(0));
            at::Tensor shares = at::log_softmax(logits_of(decoder, batch).to(at::kDouble), -1);
            double sum = 0;
            for (std::size_t i = 0; i < choice.targets.size(); i++)
                sum +=
                    shares[std::int64_t(path.size() - choice.targets.size() + i)][choice.targets[i]]
                        .item<double>();
            out.back().push_back(sum);
        }
    }
    return out;
}

/// The largest for each token that is asked for.
double gap(const std::vector<Asked>& questions, const Scores& a, const Scores& b) {
    double largest = 0;
    REQUIRE(a.size() == questions.size());
    REQUIRE(b.size() == questions.size());
    for (std::size_t i = 0; i < a.size(); i++)
        for (std::size_t k = 0; k < a[i].size(); k++)
            largest = std::max(largest,
                               std::abs(a[i][k] - b[i][k]) /
                                   static_cast<double>(questions[i].choices[k].targets.size()));
    return largest;
}

std::vector<std::size_t> answers(const Scores& scores) {
    std::vector<std::size_t> out;
    for (const auto& one : scores)
        out.push_back(best_of(one));
    return out;
}

}  // namespace

TEST_CASE("whatever is shared and packed, every family answers as if asked alone") {
    for (const Case& one : cases()) {
        CAPTURE(one.name);
        Decoder decoder = made_decoder(one.config);
        std::vector<Asked> questions = some_questions(one.config.vocab);
        if (needs_whole_text(one.config, 110))
            continue;
        Scores plain = plain_scores(decoder, questions);
        std::vector<Packing> packings = {{}, {.tokens = 100}};
        if (one.name == "llama") {
            packings.push_back({.questions = 1});
            packings.push_back({.tokens = 100, .keep = false});
            packings.push_back({.share = false});
        }
        for (const Packing& packing : packings) {
            Scores scores = score_questions(
                decoder, pack_questions(questions, packing), {.probabilities = true});
            CHECK(gap(questions, scores, plain) < 1e-5);
            CHECK(answers(scores) == answers(plain));
        }
    }
}

TEST_CASE("logits at one place answer as probabilities do") {
    Decoder decoder = made_decoder(case_named("llama").config);
    std::vector<Asked> questions = some_questions(decoder.config.vocab);
    std::vector<Pack> packs = pack_questions(questions, {});
    CHECK(answers(score_questions(decoder, packs)) ==
          answers(score_questions(decoder, packs, {.probabilities = true})));
}

TEST_CASE("sequences that share a beginning see it in bf16 too") {
    Decoder decoder = made_decoder(case_named("llama").config, at::kBFloat16);
    std::vector<Asked> questions = some_questions(decoder.config.vocab);
    Scores shared =
        score_questions(decoder, pack_questions(questions, {}), {.probabilities = true});
    Scores plain = score_questions(
        decoder, pack_questions(questions, {.share = false}), {.probabilities = true});
    CHECK(gap(questions, shared, plain) < 0.2);
}
