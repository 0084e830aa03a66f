#include "plugins/lm/train/schedule.h"

#include "engine/base/error.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

const Schedule kCosine{
    .course = Course::cosine, .most = 1e-4, .least = 1e-5, .warmup = 50, .length = 1000};

void check_rates(const Schedule& schedule,
                 const std::vector<std::pair<std::int64_t, double>>& expected) {
    for (auto [samples, rate] : expected) {
        CAPTURE(samples);
        CHECK(learning_rate(schedule, samples) == doctest::Approx(rate).epsilon(1e-6));
    }
}

}  // namespace

TEST_CASE("a cosine rises, falls and stays where the golden numbers say") {
    check_rates(kCosine,
                {{1, 2e-6},
                 {25, 5e-5},
                 {50, 1e-4},
                 {51, 9.999975e-5},
                 {288, 8.676715e-5},
                 {525, 5.5e-5},
                 {999, 1.000025e-5},
                 {1000, 1e-5},
                 {5000, 1e-5}});
}

TEST_CASE("each fall of wsd goes through the golden numbers") {
    Schedule wsd{.course = Course::wsd,
                 .most = 3e-4,
                 .least = 3e-5,
                 .warmup = 10,
                 .length = 100,
                 .fall_length = 20};
    for (auto [fall, rates] : std::vector<std::pair<Fall, std::vector<double>>>{
             {Fall::linear, {2.325e-4, 1.65e-4, 9.75e-5}},
             {Fall::cosine, {2.604594e-4, 1.65e-4, 6.954058e-5}},
             {Fall::exponential, {2.140841e-4, 1.418377e-4, 8.108592e-5}},
             {Fall::minus_sqrt, {1.65e-4, 1.090812e-4, 6.617314e-5}}}) {
        wsd.fall = fall;
        check_rates(wsd, {{5, 1.5e-4}, {11, 3e-4}, {80, 3e-4}});
        check_rates(wsd, {{85, rates[0]}, {90, rates[1]}, {95, rates[2]}, {100, 3e-5}});
    }
}

TEST_CASE("the other courses: a line, a root, and none") {
    Schedule schedule = kCosine;
    schedule.course = Course::linear;
    check_rates(schedule, {{525, 5.5e-5}, {1000, 1e-5}, {1001, 1e-5}});
    schedule.course = Course::constant;
    check_rates(schedule, {{25, 5e-5}, {51, 1e-4}, {2000, 1e-4}});
    schedule.course = Course::inverse_sqrt;
    check_rates(schedule, {{50, 1e-4}, {200, 5e-5}, {800, 2.5e-5}, {1001, 1e-5}});
    schedule.warmup = 0;
    check_rates(schedule, {{1, 1e-4}, {4, 5e-5}});
}

TEST_CASE("a ramp of weight decay begins, bends and ends as asked") {
    Ramp ramp{.from = 0.1, .to = 0.3, .steps = 100};
    CHECK(ramp_value(ramp, 0) == doctest::Approx(0.1));
    CHECK(ramp_value(ramp, 25) == doctest::Approx(0.15));
    CHECK(ramp_value(ramp, 500) == doctest::Approx(0.3));
    ramp.cosine = true;
    CHECK(ramp_value(ramp, 25) == doctest::Approx(0.1 + 0.2 * 0.14644661));
    CHECK(ramp_value(ramp, 100) == doctest::Approx(0.3));
}

TEST_CASE("a schedule that contradicts itself is refused by its setting") {
    auto refused = [](auto change) {
        Schedule schedule = kCosine;
        change(schedule);
        try {
            check_schedule(schedule);
        } catch (const Error& error) {
            CHECK(error.exit_code() == kExitUsage);
            return error.setting();
        }
        return std::string("taken");
    };
    CHECK(refused([](Schedule&) {}) == "taken");
    CHECK(refused([](Schedule& s) { s.warmup = 1000; }) == "schedule.warmup");
    CHECK(refused([](Schedule& s) { s.least = 2e-4; }) == "schedule.min_lr");
    CHECK(refused([](Schedule& s) { s.most = 0; }) == "optimizer.lr");
    CHECK(refused([](Schedule& s) { s.course = Course::wsd; }) == "schedule.tail_steps");
    CHECK(refused([](Schedule& s) { s.course = Course::wsd, s.fall_length = 951; }) ==
          "schedule.tail_steps");
}
