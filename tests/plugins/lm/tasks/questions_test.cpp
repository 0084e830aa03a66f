#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/scratch_folder.h"
#include "engine/base/sha256.h"
#include "plugins/lm/tasks/csv.h"
#include "plugins/lm/tasks/mmlu_files.h"
#include "plugins/lm/tasks/mmlu_prompt.h"
#include "plugins/lm/tasks/subset.h"
#include "plugins/lm/tasks/tally.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

using namespace stillroom;
using namespace stillroom::lm;
namespace fs = std::filesystem;

namespace {

const std::string kMmlu = STILLROOM_REFERENCE "/tasks/mmlu";

/// Questions of each subject of MMLU, in the order of their names.
const std::vector<std::size_t> kCounts = {
    100, 135, 152, 100, 265, 144, 100, 100, 100, 173, 102,  100, 235, 114, 145, 378, 126, 100, 310,
    203, 100, 165, 198, 193, 390, 270, 238, 151, 545, 216,  204, 237, 223, 131, 121, 108, 163, 112,
    103, 234, 100, 783, 346, 895, 306, 311, 324, 282, 1534, 272, 612, 110, 245, 201, 100, 166, 171};

std::size_t asked(double fraction) {
    std::size_t sum = 0;
    for (std::size_t count : kCounts)
        sum += chosen({.rule = SubsetRule::first, .fraction = fraction}, "any", count).size();
    return sum;
}

/// What Error is thrown for, as the command line prints it.
std::string refusal_of(const std::function<void()>& act) {
    try {
        act();
    } catch (const Error& error) {
        CHECK((error.exit_code() == kExitBadInput || error.exit_code() == kExitNumeric));
        std::string text = error.render();
        return text.substr(0, text.find('\n'));
    }
    return "nothing";
}

std::string refusal(const std::string& csv) {
    return refusal_of([&] { parse_csv(csv, "file.csv"); });
}

}  // namespace

TEST_CASE("a cell in quotes holds commas, newlines and quotes; others are taken as they are") {
    std::vector<CsvRow> rows = parse_csv(
        "\xEF\xBB\xBF"
        "a,\"b, \"\"c\"\"\nd\",\r\n\n5\" disk,,\"\"\n",
        "file.csv");
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].cells == std::vector<std::string>{"a", "b, \"c\"\nd", ""});
    CHECK(rows[1].cells == std::vector<std::string>{"5\" disk", "", ""});
    CHECK(rows[1].line == 4);
}

TEST_CASE("rows that no writer of CSV makes are refused with their line") {
    CHECK(refusal("a,b\n\"c,d\n") == "file.csv:2:1: error: a quote that nothing closes");
    CHECK(refusal("a,b\n\"c\"d,e\n") ==
          "file.csv:2:1: error: text behind the closing quote of a cell");
    CHECK(refusal("a,b\nc\n") == "file.csv:2:1: error: 1 cell, the first row has 2");
    CHECK(refusal("a,\xff\n") == "error: file.csv: byte 2 is no UTF-8");
}

TEST_CASE("MMLU's files are read with and without a header") {
    QuestionSet set = read_mmlu(kMmlu, true);
    REQUIRE(set.subjects.size() == 1);
    const Subject& subject = set.subjects.front();
    CHECK(subject.name == "abstract_algebra");
    CHECK(subject.examples.size() == 5);
    CHECK(subject.questions.front().answer == 1);
    CHECK(set.form == "CSV with a header");

    ScratchFolder scratch("/tmp/stillroom-mmlu-");
    fs::create_directories(scratch.path() / "data" / "test");
    write_file(scratch.path() / "data" / "test" / "law_test.csv", "What?,1,2,3,4,C\n");
    QuestionSet plain = read_mmlu(scratch.path(), false);
    CHECK(plain.form == "CSV as in the original archive");
    CHECK(plain.subjects.front().questions.front().answer == 2);
    CHECK(plain.digest != set.digest);
    CHECK(refusal_of([&] { read_mmlu(scratch.path(), true); }).find("no examples for law") !=
          std::string::npos);
    write_file(scratch.path() / "data" / "test" / "law_test.csv", "What?,1,2,3,4,E\n");
    CHECK(refusal_of([&] {
              read_mmlu(scratch.path(), false);
          }).find("law_test.csv:1:1: error: the answer E is none of A to D") != std::string::npos);
}

TEST_CASE("prompts are those of lm-eval and of the reference, byte for byte") {
    Subject subject = read_mmlu(kMmlu, true).subjects.front();
    auto prompt = [&](std::size_t few_shot, PromptRule rule) {
        return mmlu_prefix(subject, few_shot, rule) +
               mmlu_question(subject.questions.front(), rule);
    };
    std::string plain = prompt(0, PromptRule::standard);
    CHECK(plain.size() == 195);
    CHECK(sha256_hex(plain) == "04ebc0806ad169c848f7078af1359da6f9f2c07f662e9f3cea9a94c7d54cbc7d");
    std::string standard = prompt(5, PromptRule::standard);
    CHECK(standard.size() == 993);
    CHECK(sha256_hex(standard) ==
          "ff9b00310e214beacf4b324da8c9e6c1de4e49cb422f1bcb1f7037b78f40a2a3");
    std::string reference = prompt(5, PromptRule::reference);
    CHECK(reference.size() == 988);
    CHECK(sha256_hex(reference).starts_with("b79257c4e034f3ef"));
    CHECK(refusal_of([&] { mmlu_prefix(subject, 6, PromptRule::standard); }) ==
          "error: 6 examples wanted before each question, abstract_algebra has 5");

    Question blank{.text = "\u3000 a\n", .choices = {"1", "2", "3", "4"}};
    CHECK(mmlu_question(blank, PromptRule::standard).starts_with("a\nA. 1"));
    CHECK(mmlu_question(blank, PromptRule::reference).starts_with("\u3000 a\n\nA. 1"));
}

TEST_CASE("a share of each subject is rounded up") {
    CHECK(std::accumulate(kCounts.begin(), kCounts.end(), std::size_t{0}) == 14042);
    CHECK(asked(0.02) == 306);
    CHECK(asked(0.05) == 728);
    CHECK(asked(0.1) == 1430);
    CHECK(asked(0.2) == 2827);
    CHECK(asked(1) == 14042);
}

TEST_CASE("the stratified choice goes by hash, and a larger one holds a smaller one") {
    Subset subset{.fraction = 0.1};
    std::vector<std::size_t> tenth = chosen(subset, "abstract_algebra", 100);
    CHECK(tenth == std::vector<std::size_t>{21, 22, 31, 43, 44, 61, 67, 73, 87, 90});
    subset.fraction = 0.2;
    std::vector<std::size_t> fifth = chosen(subset, "abstract_algebra", 100);
    CHECK(std::includes(fifth.begin(), fifth.end(), tenth.begin(), tenth.end()));
    subset.seed = 1;
    CHECK(chosen(subset, "abstract_algebra", 100) != fifth);
}

TEST_CASE("the standard error knows how many questions there are") {
    auto points = [](std::int64_t asked) {
        return 100 * Tally{.correct = asked / 2, .asked = asked, .total = 14042}.standard_error();
    };
    CHECK(points(728) == doctest::Approx(1.80).epsilon(0.003));
    CHECK(points(1430) == doctest::Approx(1.25).epsilon(0.003));
    CHECK(points(14042) == doctest::Approx(0.42).epsilon(0.01));
    CHECK(Tally{.correct = 1, .asked = 1, .total = 1}.standard_error() == 0);
    CHECK(Tally{}.accuracy() == 0);
}

TEST_CASE("subjects weigh by all their questions, whatever share was asked") {
    std::vector<SubjectTally> subjects = {{"a", {.correct = 1, .asked = 1, .total = 100}},
                                          {"b", {.correct = 0, .asked = 9, .total = 300}}};
    CHECK(sum_of(subjects).accuracy() == doctest::Approx(0.1));
    CHECK(weighted_accuracy(subjects) == doctest::Approx(0.25));
}

TEST_CASE("two models on the same questions differ by those that one alone knows") {
    std::vector<bool> first(1430), second(1430);
    for (std::size_t i = 0; i < 143; i++)
        first[i] = second[i + 143] = true;
    Pairing pairing = paired(first, second);
    CHECK(pairing.difference == 0);
    CHECK(100 * pairing.standard_error == doctest::Approx(1.18).epsilon(0.005));
    CHECK(pairing.tie());
    for (std::size_t i = 143; i < 286; i++)
        second[i] = false;
    CHECK_FALSE(paired(first, second).tie());
}

TEST_CASE("of equal scores the first wins, and NaN is none") {
    CHECK(best_of(std::vector<double>{1, 3, 3}) == 1);
    CHECK(refusal_of([] {
              best_of(std::vector<double>{1, NAN});
          }) == "error: the model's score of an answer is no number");
}
