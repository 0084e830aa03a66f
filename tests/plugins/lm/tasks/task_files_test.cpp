#include "plugins/lm/tasks/task_files.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/scratch_folder.h"
#include "plugins/lm/tasks/mmlu_files.h"
#include "tests/plugins/lm/weights/refusal.h"

#include <doctest/doctest.h>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

const std::string kTasks = STILLROOM_REFERENCE "/tasks/";

TaskQuestion question(const std::string& json, TaskRule rule) {
    return task_question(Json::parse(json), rule);
}

}  // namespace

TEST_CASE("HellaSwag's texts lose their marks as lm-eval takes them") {
    CHECK(hellaswag_text(" a [title] b [step] c\n") == "a. b c");
    CHECK(hellaswag_text("a   b") == "a  b");
    CHECK(hellaswag_text("[x\ny] [z") == "[x\ny] [z");
    TaskQuestion one = question(
        R"({"activity_label": "Tea", "ctx_a": "Water boils.", "ctx_b": "then SHE",
            "endings": ["pours [it]  out.", "sits."], "label": "1"})",
        TaskRule::hellaswag);
    CHECK(one.contexts == std::vector<std::string>{"Tea: Water boils. Then she"});
    CHECK(one.continuations == std::vector<std::string>{" pours  out.", " sits."});
    CHECK(one.answer == 1);
}

TEST_CASE("ARC's answer is a label, WinoGrande's options stand in the context") {
    TaskQuestion arc = question(
        R"({"question": "Wet?", "choices": {"text": ["no", "yes"], "label": ["1", "2"]},
            "answerKey": "2"})",
        TaskRule::arc);
    CHECK(arc.solved() == "Question: Wet?\nAnswer: yes\n\n");
    TaskQuestion gap = question(
        R"({"sentence": "The _ is big. ", "option1": "cat", "option2": "dog", "answer": "2"})",
        TaskRule::winogrande);
    CHECK(gap.contexts == std::vector<std::string>{"The cat", "The dog"});
    CHECK(gap.continuations == std::vector<std::string>{" is big."});
    CHECK(gap.solved() == "The dog is big.\n\n");
}

TEST_CASE("an answer is an index, a text or a letter") {
    for (const char* answer : {"1", "\"no\"", "\"B\"", "\"1\""})
        CHECK(question(std::string(R"({"question": "q", "choices": ["yes", "no"], "answer": )") +
                           answer + "}",
                       TaskRule::choices)
                  .answer == 1);
    auto refused = [](const std::string& json, TaskRule rule) {
        return refusal_of([&] { question(json, rule); });
    };
    CHECK(refused(R"({"question": "q", "choices": ["yes", "no"], "answer": 2})",
                  TaskRule::choices) == "3: 'answer' is 2, none of 0 to 1");
    CHECK(refused(R"({"question": "q", "choices": ["yes"], "answer": 0})", TaskRule::choices)
              .starts_with("3: 'choices' is no list of 2 to"));
    CHECK(refused(R"({"sentence": "s", "option1": "a", "option2": "b", "answer": "1"})",
                  TaskRule::winogrande) == "3: 'sentence' has no '_' for the options");
}

TEST_CASE("a Parquet file holds the questions that its twin holds") {
    std::vector<TaskQuestion> lines = read_task_file(kTasks + "files/arc.jsonl", TaskRule::arc);
    std::vector<TaskQuestion> rows = read_task_file(kTasks + "parquet/arc.parquet", TaskRule::arc);
    REQUIRE(rows.size() == lines.size());
    for (std::size_t i = 0; i < rows.size(); i++) {
        CHECK(rows[i].contexts == lines[i].contexts);
        CHECK(rows[i].choices == lines[i].choices);
        CHECK(rows[i].answer == lines[i].answer);
    }
    QuestionSet csv = read_mmlu(kTasks + "mmlu", true);
    QuestionSet parquet = read_mmlu(kTasks + "parquet", true);
    CHECK(parquet.form == "Parquet");
    REQUIRE(parquet.subjects.size() == 1);
    CHECK(parquet.subjects[0].examples.size() == 5);
    for (std::size_t i = 0; i < 4; i++) {
        CHECK(parquet.subjects[0].questions[i].text == csv.subjects[0].questions[i].text);
        CHECK(parquet.subjects[0].questions[i].choices == csv.subjects[0].questions[i].choices);
        CHECK(parquet.subjects[0].questions[i].answer == csv.subjects[0].questions[i].answer);
    }
}

TEST_CASE("a wrong row is told with its line") {
    ScratchFolder scratch("/tmp/stillroom-task-files-");
    write_file(scratch.path() / "a.jsonl", "\n{\"question\": 1}\n");
    try {
        read_task_file(scratch.path() / "a.jsonl", TaskRule::choices);
        FAIL("it was read");
    } catch (const Error& error) {
        CHECK(error.where().line == 2);
        CHECK(error.exit_code() == kExitBadInput);
    }
}
