#include "plugins/evaluate/mmlu_report.h"

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "plugins/evaluate/lm_eval_results.h"
#include "plugins/evaluate/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stillroom::evaluate {
namespace {

struct MmluCategory {
    std::string_view name;
    std::vector<std::string_view> subjects;
};

/// In the order in which lm-eval tells them.
const std::array<MmluCategory, 4>& categories() {
    static const std::array<MmluCategory, 4> all = {{
        {"humanities",
         {"formal_logic",
          "high_school_european_history",
          "high_school_us_history",
          "high_school_world_history",
          "international_law",
          "jurisprudence",
          "logical_fallacies",
          "moral_disputes",
          "moral_scenarios",
          "philosophy",
          "prehistory",
          "professional_law",
          "world_religions"}},
        {"other",
         {"business_ethics",
          "clinical_knowledge",
          "college_medicine",
          "global_facts",
          "human_aging",
          "management",
          "marketing",
          "medical_genetics",
          "miscellaneous",
          "nutrition",
          "professional_accounting",
          "professional_medicine",
          "virology"}},
        {"social_sciences",
         {"econometrics",
          "high_school_geography",
          "high_school_government_and_politics",
          "high_school_macroeconomics",
          "high_school_microeconomics",
          "high_school_psychology",
          "human_sexuality",
          "professional_psychology",
          "public_relations",
          "security_studies",
          "sociology",
          "us_foreign_policy"}},
        {"stem",
         {"abstract_algebra",
          "anatomy",
          "astronomy",
          "college_biology",
          "college_chemistry",
          "college_computer_science",
          "college_mathematics",
          "college_physics",
          "computer_security",
          "conceptual_physics",
          "electrical_engineering",
          "elementary_mathematics",
          "high_school_biology",
          "high_school_chemistry",
          "high_school_computer_science",
          "high_school_mathematics",
          "high_school_physics",
          "high_school_statistics",
          "machine_learning"}},
    }};
    return all;
}

void write_tally(JsonWriter& out, const lm::Tally& tally) {
    out.key("accuracy"), out.number(tally.accuracy());
    out.key("se"), out.number(tally.standard_error());
    out.key("correct"), out.integer(tally.correct);
    out.key("asked"), out.integer(tally.asked);
    out.key("total"), out.integer(tally.total);
}

std::string percent(double share) {
    return fmt::format("{:.2f}", 100 * share);
}

}  // namespace

std::string mmlu_json(const MmluSettings& settings, const MmluResult& result) {
    JsonWriter out(1);
    out.begin_object();
    write_tally(out, lm::sum_of(result.subjects));
    out.key("accuracy_weighted"), out.number(lm::weighted_accuracy(result.subjects));
    out.key("subjects"), out.begin_object();
    for (const lm::SubjectTally& subject : result.subjects) {
        out.key(subject.name), out.begin_object();
        write_tally(out, subject.tally);
        out.end_object();
    }
    out.end_object();
    out.key("prompt"), out.string(word(settings.prompt));
    out.key("scoring"), out.string(word(settings.scoring));
    out.key("few_shot"), out.integer(settings.few_shot);
    out.key("fraction"), out.number(settings.fraction);
    out.key("subset"), out.string(word(settings.subset));
    out.key("seed"), out.integer(settings.seed);
    out.key("choice_ids");
    if (result.choice_ids.empty()) {
        out.null();
    } else {
        out.begin_array();
        for (std::int32_t id : result.choice_ids)
            out.integer(id);
        out.end_array();
    }
    out.key("cut"), out.integer(result.cut);
    out.key("answers"), out.begin_object();
    for (std::size_t i = 0; i < result.subjects.size(); i++)
        out.key(result.subjects[i].name), out.string(result.answers[i]);
    out.end_object();
    out.key("right"), out.begin_object();
    for (std::size_t i = 0; i < result.subjects.size(); i++)
        out.key(result.subjects[i].name), out.string(result.right[i]);
    out.end_object();
    out.key("form"), out.string(result.form);
    out.key("tokenizer_digest"), out.string(result.tokenizer_digest);
    out.key("questions_digest"), out.string(result.questions_digest);
    out.key("dtype"), out.string(result.dtype);
    out.key("device"), out.string(result.device);
    out.end_object();
    return out.take();
}

std::string mmlu_text(const MmluSettings& settings, const MmluResult& result) {
    lm::Tally all = lm::sum_of(result.subjects);
    std::vector<std::vector<std::string>> rows = {{"subject", "right", "asked", "%", "+-"}};
    auto add = [&](const std::string& name, const lm::Tally& tally) {
        rows.push_back({name,
                        fmt::format("{}", tally.correct),
                        fmt::format("{}", tally.asked),
                        percent(tally.accuracy()),
                        percent(tally.standard_error())});
    };
    for (const lm::SubjectTally& subject : result.subjects)
        add(escape_controls(subject.name), subject.tally);
    if (result.subjects.size() > 1)
        add("all", all);
    std::string text = table_text(rows);
    text += fmt::format("\nMMLU {} % +- {} ({} of {} questions right",
                        percent(all.accuracy()),
                        percent(all.standard_error()),
                        all.correct,
                        all.asked);
    if (all.asked < all.total)
        text += fmt::format("; {} there are; by their size {} %",
                            all.total,
                            percent(lm::weighted_accuracy(result.subjects)));
    text += fmt::format("), {}-shot, {} prompt, {}, {} on {}\n",
                        settings.few_shot,
                        word(settings.prompt),
                        word(settings.scoring),
                        result.dtype,
                        result.device);
    return text;
}

std::string mmlu_lm_eval_json(const MmluSettings& settings, const MmluResult& result) {
    LmEvalRun run;
    run.model = result.model;
    run.dtype = result.dtype;
    run.device = result.device;
    run.seed = settings.seed;
    auto task_name = [](std::string_view subject) { return fmt::format("mmlu_{}", subject); };
    LmEvalGroup mmlu{.name = "mmlu", .alias = "mmlu", .members = {}, .tasks = {}};
    for (const lm::SubjectTally& subject : result.subjects)
        mmlu.tasks.push_back(task_name(subject.name));
    std::vector<LmEvalGroup> groups;
    for (const MmluCategory& category : categories()) {
        LmEvalGroup group{.name = task_name(category.name),
                          .alias = fmt::format(" - {}", category.name),
                          .members = {},
                          .tasks = {}};
        for (std::string_view subject : category.subjects)
            if (std::string name = task_name(subject);
                std::count(mmlu.tasks.begin(), mmlu.tasks.end(), name) > 0)
                group.tasks.push_back(std::move(name));
        group.members = group.tasks;
        if (!group.tasks.empty())
            groups.push_back(std::move(group));
    }
    for (const LmEvalGroup& group : groups)
        mmlu.members.push_back(group.name);
    run.groups.push_back(std::move(mmlu));
    run.groups.insert(run.groups.end(), groups.begin(), groups.end());
    for (const lm::SubjectTally& subject : result.subjects) {
        const lm::Tally& tally = subject.tally;
        run.tasks.push_back({.name = task_name(subject.name),
                             .alias = fmt::format("  - {}", subject.name),
                             .metrics = {{.name = "acc",
                                          .value = tally.accuracy(),
                                          .stderror = lm_eval_stderr(tally.correct, tally.asked)}},
                             .asked = tally.asked,
                             .total = tally.total,
                             .few_shot = settings.few_shot});
    }
    return lm_eval_json(run);
}

}  // namespace stillroom::evaluate
