#include "engine/base/durable.h"
#include "engine/plugin/gate.h"
#include "plugins/evaluate/asking.h"
#include "plugins/evaluate/compute.h"
#include "plugins/evaluate/mmlu_report.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/data/vocabulary_facts.h"
#include "plugins/lm/hub/hub_download.h"
#include "plugins/lm/tasks/mmlu_files.h"
#include "plugins/lm/tasks/mmlu_prompt.h"
#include "plugins/lm/tasks/subset.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::evaluate {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLetters = 4;

lm::PromptRule rule_of(const MmluSettings& settings) {
    return settings.prompt == MmluSettings::Prompt::reference ? lm::PromptRule::reference
                                                              : lm::PromptRule::standard;
}

/// The folder of questions: as it is named, or a dataset of the Hub in the cache.
fs::path questions_folder(RunContext& context, const MmluSettings& settings) {
    std::string text = settings.questions.string();
    if (!text.starts_with("hf:"))
        return settings.questions;
    lm::HubRequest request{lm::parse_hub_source(text), lm::HubPart::all, {}, false};
    request.wanted = [](const lm::HubFile& file) {
        return file.path.ends_with(".parquet") &&
               (file.path.starts_with("all/test") || file.path.starts_with("all/dev"));
    };
    lm::HubWatch watch;
    watch.cancelled = [&] { return context.cancelled(); };
    lm::HubSnapshot snapshot =
        lm::fetch_snapshot(request, lm::HubSettings::from_environment(context.offline()), watch);
    for (const std::string& warning : snapshot.warnings)
        context.log(LogLevel::warning, warning);
    for (const lm::HubFetched& file : snapshot.files)
        context.reads(file.file);
    return snapshot.folder;
}

/// The questions that are asked, as tokens, and what is right.
struct Exam {
    std::vector<lm::Asked> asked;
    std::vector<std::size_t> right;
    MmluResult result;  ///< what is known before anything is answered
};

Exam make_exam(RunContext& context, const MmluSettings& settings, const lm::QuestionSet& set) {
    fs::path folder = context.input("model");
    lm::Tokenizer tokenizer = lm::Tokenizer::read(folder);
    std::size_t longest = longest_text(lm::ConfigFile::read(folder / "config.json").model());
    Exam exam;
    exam.result.form = set.form;
    exam.result.questions_digest = set.digest;
    exam.result.tokenizer_digest = lm::vocabulary_digest(tokenizer);
    exam.result.model = folder.filename().string();
    if (settings.scoring == MmluSettings::Scoring::choice_ids)
        exam.result.choice_ids = lm::letter_ids(tokenizer, kLetters);
    std::vector<std::string> letters;
    for (std::size_t i = 0; i < kLetters; i++)
        letters.push_back({' ', static_cast<char>('A' + i)});
    lm::Subset subset{.rule = settings.subset == MmluSettings::Subset::first
                                  ? lm::SubsetRule::first
                                  : lm::SubsetRule::stratified,
                      .fraction = settings.fraction,
                      .seed = settings.seed};
    for (std::size_t group = 0; group < set.subjects.size(); group++) {
        const lm::Subject& subject = set.subjects[group];
        std::string prefix = lm::mmlu_prefix(
            subject, static_cast<std::size_t>(settings.few_shot), rule_of(settings));
        std::vector<std::size_t> taken = lm::chosen(subset, subject.name, subject.questions.size());
        for (std::size_t index : taken) {
            const lm::Question& question = subject.questions[index];
            std::string prompt = prefix + lm::mmlu_question(question, rule_of(settings));
            lm::Asked asked = exam.result.choice_ids.empty()
                                  ? lm::ask_continuations(tokenizer, {prompt}, letters, longest)
                                  : lm::ask_ids(tokenizer, prompt, exam.result.choice_ids, longest);
            asked.group = group;
            exam.result.cut += asked.cut;
            exam.asked.push_back(std::move(asked));
            exam.right.push_back(question.answer);
        }
        exam.result.subjects.push_back(
            {subject.name, {.asked = std::ssize(taken), .total = std::ssize(subject.questions)}});
    }
    warn_of_cuts(context, exam.asked, longest);
    return exam;
}

void mark(Exam& exam, const Scores& scores) {
    std::size_t at = 0;
    for (lm::SubjectTally& subject : exam.result.subjects) {
        std::string letters, right;
        for (std::int64_t i = 0; i < subject.tally.asked; i++, at++) {
            std::size_t best = lm::best_of(scores[at]);
            subject.tally.correct += best == exam.right[at];
            letters += static_cast<char>('A' + best);
            right += static_cast<char>('A' + exam.right[at]);
        }
        exam.result.answers.push_back(std::move(letters));
        exam.result.right.push_back(std::move(right));
    }
}

}  // namespace

extern "C" void stillroom_evaluate_mmlu(const MmluSettings& settings, RunContext& context) try {
    lm::QuestionSet set = lm::read_mmlu(questions_folder(context, settings), settings.few_shot > 0);
    context.log(LogLevel::info,
                fmt::format("{}: {} questions of {} subjects, {}",
                            settings.questions.string(),
                            set.questions(),
                            set.subjects.size(),
                            set.form));
    Exam exam = make_exam(context, settings, set);
    Model model = load_model(context, word(settings.dtype));
    Asking asking{.what = "MMLU"};
    asking.probabilities = false;
    if (const auto* batch = std::get_if<std::int64_t>(&settings.batch))
        asking.batch = *batch;
    mark(exam, ask_all(context, model, exam.asked, asking));
    exam.result.dtype = model.dtype;
    exam.result.device = model.device;

    std::string json = mmlu_json(settings, exam.result);
    std::string text = mmlu_text(settings, exam.result);
    fs::path report = context.output("report");
    write_report(report, json, text);
    write_record_file(report / "results.json", mmlu_lm_eval_json(settings, exam.result));
    context.metric("accuracy", lm::sum_of(exam.result.subjects).accuracy(), 0);
    context.text(text);
    check_gates(context, gates_of(settings.gate), json);
} catch (const Stopped&) {
}

}  // namespace stillroom::evaluate
