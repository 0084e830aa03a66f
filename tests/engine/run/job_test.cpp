#include "engine/run/job.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/document/document.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <stdlib.h>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

NodePtr settings() {
    Sources sources;
    Diagnostics diagnostics;
    const Source& source =
        sources.add("x.json", R"({"steps": 12, "rate": 0.5, "name": "a\"b", "deep": {"x": [1]}})");
    return read_json(source, {}, diagnostics).root;
}

Job full() {
    Job job;
    job.run = "2026-01-01-ab";
    job.stage = "first/student";
    job.use = "prune.minitron";
    job.settings = settings();
    job.given = {"steps", "deep.x"};
    job.inputs["model"] = {"/store/a b/model"};
    job.inputs["parts"] = {"/store/1", "/store/2"};
    job.outputs["model"] = "/store/work/k/outputs/model";
    job.work = "/store/work/k/work";
    job.tensorboard = "/runs/é/tb";
    job.records = "/runs/é/logs";
    job.cancel = "/runs/cancel";
    job.alive = "/runs/alive";
    job.plugins = {"/usr/lib/stillroom/plugins", "/x/toy.so"};
    job.environment["A"] = "b=c";
    job.device = "cuda:1";
    job.ranks = 3;
    job.threads = 4;
    job.try_number = 2;
    job.timeout = 1.5;
    job.beat = 0.25;
    job.offline = true;
    job.strict = true;
    job.inject = {"3:abort:1"};
    return job;
}

int exit_of(const fs::path& file) {
    try {
        read_job(file);
    } catch (const Error& error) {
        return error.exit_code();
    }
    return 0;
}

}  // namespace

TEST_CASE("a job reads back as it was written") {
    TemporaryFolder folder;
    Job job = full();
    write_file(folder.path() / "job.json", job_text(job));
    Job back = read_job(folder.path() / "job.json");
    CHECK(deep_equal(*back.settings, *job.settings));
    CHECK(back.settings->get("rate")->kind == Kind::number);
    CHECK(back.inputs == job.inputs);
    CHECK(back.outputs == job.outputs);
    CHECK(back.tensorboard == job.tensorboard);
    CHECK(back.environment == job.environment);
    CHECK(job_text(back) == job_text(job));
}

TEST_CASE("a job without settings has none") {
    TemporaryFolder folder;
    write_file(folder.path() / "job.json", job_text(Job{}));
    CHECK(read_job(folder.path() / "job.json").settings->entries.empty());
}

TEST_CASE("a job that is damaged or not there is refused") {
    TemporaryFolder folder;
    fs::path file = folder.path() / "job.json";
    CHECK(exit_of(file) == 2);
    write_file(file, "");
    CHECK(exit_of(file) == 9);
    write_file(file, "[]");
    CHECK(exit_of(file) == 9);
    std::string text = job_text(full());
    for (std::size_t cut = 1; cut < text.size() - 2; cut += 7) {
        write_file(file, text.substr(0, cut));
        CHECK(exit_of(file) == 9);
    }
    for (auto [from, to] : {std::pair{"\"ranks\": 3", "\"ranks\": 0"},
                            {"\"ranks\": 3", "\"ranks\": 3.5"},
                            {"\"threads\": 4", "\"threads\": \"4\""},
                            {"\"timeout\": 1.5", "\"timeout\": 0"},
                            {"\"offline\": true", "\"offline\": 1"},
                            {"\"A\": \"b=c\"", "\"A\": null"},
                            {"\"work\"", "\"wrok\""}}) {
        std::string broken = text;
        std::size_t at = broken.find(from);
        REQUIRE(at != std::string::npos);
        write_file(file, broken.replace(at, std::string(from).size(), to));
        CHECK_MESSAGE(exit_of(file) == 9, to);
    }
}
