#include "engine/cli/stage_progress.h"

#include "engine/base/text.h"

#include <doctest/doctest.h>

#include <limits>

using namespace stillroom;
using namespace stillroom::cli;

namespace {

Moment at(double seconds) {
    return Moment() + std::chrono::duration_cast<Moment::duration>(
                          std::chrono::duration<double>(seconds + 1000));
}

Record progress(double done, std::string what) {
    Record record;
    record.event = "progress";
    record.value = done;
    record.text = std::move(what);
    return record;
}

Record metric(std::string name, double value, std::int64_t step) {
    Record record;
    record.event = "metric";
    record.name = std::move(name);
    record.value = value;
    record.step = step;
    return record;
}

}  // namespace

TEST_CASE("a duration has two units at most, and none is full") {
    CHECK(duration_text(0) == "0.0 s");
    CHECK(duration_text(9.94) == "9.9 s");
    CHECK(duration_text(9.96) == "10 s");
    CHECK(duration_text(59.6) == "1 min 00 s");
    CHECK(duration_text(3599.7) == "1 h 00 min");
    CHECK(duration_text(100 * 3600) == "4 d 4 h");
    CHECK(duration_text(-1) == "0.0 s");
    CHECK(duration_text(std::numeric_limits<double>::quiet_NaN()) == "0.0 s");
}

TEST_CASE("a stage that goes on at 40 % has its time left worked out from there") {
    StageProgress stage("healed", at(0));
    stage.hear(progress(0.4, "step 400 of 1000"), at(10));
    CHECK(stage.plain_line(at(10)) == "40 %, step 400 of 1000, 10 s");
    stage.hear(progress(0.5, "step 500 of 1000"), at(20));
    CHECK(stage.plain_line(at(20)) == "50 %, step 500 of 1000, ETA 50 s");
    CHECK(stage.plain_line(at(60)) == "50 %, step 500 of 1000, ETA 10 s");
}

TEST_CASE("loss is shown before other metrics, and a metric per second is the rate") {
    StageProgress stage("healed", at(0));
    stage.hear(metric("accuracy", 0.5, 10), at(0));
    CHECK(stage.plain_line(at(0)) == "step 10, accuracy 0.5, 0.0 s");
    stage.hear(metric("loss", 2.3125, 30), at(2));
    stage.hear(metric("accuracy", 0.75, 30), at(2));
    CHECK(stage.plain_line(at(2)) == "step 30, loss 2.312, 10 steps/s, 2.0 s");
    stage.hear(metric("tokens_per_second", 123456, 30), at(2));
    CHECK(stage.plain_line(at(2)) == "step 30, loss 2.312, 123K tokens/s, 2.0 s");
}

TEST_CASE("a line stays a line whatever a stage says") {
    StageProgress stage("healed", at(0));
    stage.hear(progress(std::numeric_limits<double>::quiet_NaN(),
                        "\x1b[2Jgone\r\n" + std::string(1 << 20, 'x')),
               at(1));
    stage.hear(metric(std::string(1 << 20, '\a'), 1e300, 1), at(1));
    std::string plain = stage.plain_line(at(1));
    CHECK(plain.size() < 400);
    CHECK(plain.find_first_of("\x1b\r\n\a") == std::string::npos);
    for (int columns : {1, 5, 19, 20, 59, 60, 80, 200}) {
        std::string line = stage.bar_line(columns, std::min(6, columns / 2), at(1));
        CHECK(display_width(line) <= columns);
    }
}

TEST_CASE("what was saved names the step that it was saved at") {
    StageProgress stage("healed", at(0));
    stage.hear(metric("loss", 1, 400), at(1));
    Record saved;
    saved.event = "saved";
    stage.hear(saved, at(1));
    stage.hear(metric("loss", 1, 407), at(2));
    CHECK(stage.saved());
    CHECK(stage.step() == 400);
}
