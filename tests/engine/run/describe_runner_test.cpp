#include "engine/run/describe_runner.h"

#include "engine/base/error.h"
#include "engine/run/describe_job.h"
#include "tests/engine/run/toy_fixture.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>

using namespace stillroom;
using namespace stillroom::test;
namespace fs = std::filesystem;

namespace {

DescribeStage stage(const char* name, const char* use, const char* settings = "{}") {
    DescribeStage made;
    made.name = name;
    made.use = use;
    made.settings = json(settings);
    made.outputs = {"report"};
    return made;
}

DescribeStage upper(const char* name, const char* from, const char* settings = "{}") {
    DescribeStage made = stage(name, "toy.upper", settings);
    made.inputs["text"] = {{from, "report", {}}};
    return made;
}

std::vector<DescribeAnswer> ask(const std::vector<DescribeStage>& stages, double timeout = 60) {
    DescribeOptions options;
    options.program = stillroom_program();
    options.plugins = {toy_module()};
    options.timeout = timeout;
    return make_describer(options)(stages);
}

/// Of this process's own; other engines plan at the same time.
std::size_t folders_left() {
    std::size_t count = 0;
    std::string mine = "stillroom-plan-" + std::to_string(::getpid()) + "-";
    for (const auto& entry : fs::directory_iterator(fs::temp_directory_path()))
        count += entry.path().filename().native().starts_with(mine);
    return count;
}

}  // namespace

TEST_CASE("a request to describe reads back as it was written") {
    Scratch scratch;
    DescribeJob job;
    job.folder = "/tmp/x";
    job.records = "/tmp/x/records";
    job.plugins = {"/p"};
    job.threads = 2;
    job.stages = {stage("a", "toy.write", R"({"text": "x"})"), upper("b", "a")};
    job.stages[1].given = {"at_most"};
    job.stages[1].inputs["more"] = {{"", "", "/store/k/data"}};
    write_file(scratch.path() / "r.json", describe_job_text(job));
    DescribeJob back = read_describe_job(scratch.path() / "r.json");
    CHECK(describe_job_text(back) == describe_job_text(job));
    CHECK(back.stages[1].inputs["more"][0].path == "/store/k/data");
    CHECK(back.stages[1].inputs["text"][0].stage == "a");
}

TEST_CASE("skeletons flow from stage to stage, and come back with the costs") {
    std::size_t before = folders_left();
    std::vector<DescribeAnswer> answers =
        ask({stage("a", "toy.write", R"({"text": "12345"})"),
             upper("b", "a"),
             stage("c", "toy.count", R"({"steps": 4, "step_seconds": 0.5})")});
    REQUIRE(answers.size() == 3);
    for (const DescribeAnswer& answer : answers)
        REQUIRE(answer.description);
    CHECK(answers[0].description->skeletons ==
          R"({"report":{"report.json":{"bytes":5}},"bytes":5})");
    CHECK(answers[1].description->skeletons ==
          R"({"report":{"report.json":{"bytes":5}},"bytes":5})");
    CHECK(answers[2].description->cost == std::map<std::string, double>{{"seconds", 2}});
    CHECK(folders_left() == before);
}

TEST_CASE("an artifact that is there is its own skeleton") {
    Scratch scratch;
    std::ofstream(scratch.path() / "report.json") << R"({"bytes": 77})";
    DescribeStage stage = upper("b", "");
    stage.inputs["text"] = {{"", "", scratch.path()}};
    std::vector<DescribeAnswer> answers = ask({stage});
    REQUIRE(answers[0].description);
    CHECK(answers[0].description->skeletons ==
          R"({"report":{"report.json":{"bytes":77}},"bytes":77})");
}

TEST_CASE("a refusal says which setting, and what stands on it is silent") {
    std::vector<DescribeAnswer> answers = ask({stage("a", "toy.write", R"({"text": "12345"})"),
                                               upper("b", "a", R"({"at_most": 3})"),
                                               upper("c", "b"),
                                               upper("d", "c"),
                                               upper("e", "a")});
    CHECK(answers[0].description);
    REQUIRE(answers[1].refusal);
    CHECK(answers[1].refusal->key == "at_most");
    CHECK(answers[1].refusal->exit_code == 2);
    CHECK(!answers[1].description);
    for (int i : {2, 3}) {
        CHECK(!answers[i].description);
        CHECK(!answers[i].refusal);
    }
    CHECK(answers[4].description);
}

TEST_CASE("a stage that crashes while it is asked is refused with what is known") {
    std::vector<DescribeAnswer> answers =
        ask({stage("a", "toy.write"),
             stage("b", "toy.fail", R"({"how": "segv", "at": "describe"})"),
             upper("c", "b"),
             upper("d", "a")});
    CHECK(answers[0].description);
    REQUIRE(answers[1].refusal);
    CHECK(answers[1].refusal->exit_code == 70);
    CHECK(answers[1].refusal->message == "stage 'b' crashed with SIGSEGV");
    CHECK(!answers[2].refusal);
    answers = ask({stage("b", "toy.fail", R"({"how": "silent", "at": "describe"})")}, 0.5);
    REQUIRE(answers[0].refusal);
    CHECK(answers[0].refusal->exit_code == 7);
    answers = ask({stage("b", "toy.none")});
    REQUIRE(answers[0].refusal);
    CHECK(answers[0].refusal->exit_code == 10);
    CHECK(ask({}).empty());
}
