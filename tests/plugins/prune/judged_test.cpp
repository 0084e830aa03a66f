#include "plugins/prune/judged.h"

#include <doctest/doctest.h>

#include <cmath>

namespace stillroom::prune {
namespace {

TaskScore answers(std::size_t right, std::size_t asked, std::int64_t total) {
    TaskScore out{
        .task = Task::mmlu, .units = std::vector<double>(asked), .total = total, .answers = {}};
    for (std::size_t i = 0; i < right; ++i)
        out.units[i] = 1;
    return out;
}

Judged with(std::vector<TaskScore> tasks, std::int64_t layers = 10) {
    Judged out;
    out.candidate.shape.layers = layers;
    out.tasks = std::move(tasks);
    return out;
}

}  // namespace

TEST_CASE("the error of a share of right answers counts that the questions are a part of all") {
    CHECK(100 * answers(364, 728, 14042).error() == doctest::Approx(1.80).epsilon(0.005));
    CHECK(100 * answers(364, 728, 0).error() == doctest::Approx(1.85).epsilon(0.005));
    CHECK(100 * answers(715, 1430, 14042).error() == doctest::Approx(1.25).epsilon(0.005));
    CHECK(100 * answers(715, 1430, 0).error() == doctest::Approx(1.32).epsilon(0.005));
}

TEST_CASE("a difference is paired by question") {
    // 143 answered rightly by one alone, 143 by the other alone, of 1430.
    TaskScore one = answers(715, 1430, 0), other = one;
    for (std::size_t i = 0; i < 143; ++i) {
        other.units[i] = 0;
        other.units[1429 - i] = 1;
    }
    double error = paired_error(with({one}), with({other}), {{.task = Task::mmlu}});
    CHECK(100 * error == doctest::Approx(1.18).epsilon(0.005));
}

TEST_CASE("the highest score wins, and loss and kl count downwards") {
    std::vector<Judged> judged;
    for (double kl : {0.5, 0.2, 0.9})
        judged.push_back(with({{.task = Task::kl, .units = {kl, kl + 0.01}}}));
    CHECK(pick(judged, {{.task = Task::kl}}) == 1);
    CHECK(score_of(judged[1], {{.task = Task::kl}}) == doctest::Approx(-0.205));
}

TEST_CASE("a tie goes to the lower kl, then to fewer layers") {
    TaskScore near = answers(50, 100, 0);
    TaskScore nearer = near;
    nearer.units[0] = 0;  // one answer less
    auto kl = [](double value) { return TaskScore{.task = Task::kl, .units = {value, value}}; };
    std::vector<Judged> judged{
        with({near, kl(0.4)}), with({nearer, kl(0.3)}), with({answers(0, 100, 0), kl(0.1)})};
    CHECK(pick(judged, {{.task = Task::mmlu}}) == 1);
    CHECK(judged[0].tied);
    CHECK(judged[1].tied);
    CHECK(!judged[2].tied);
    std::vector<Judged> same{with({near}, 12), with({near}, 10)};
    CHECK(pick(same, {{.task = Task::mmlu}}) == 1);
}

TEST_CASE("weighted tasks are added") {
    Judged one = with({answers(50, 100, 0), {.task = Task::loss, .units = {2, 4}}});
    CHECK(score_of(one, {{.task = Task::mmlu, .weight = 2}, {.task = Task::loss, .weight = 0.5}}) ==
          doctest::Approx(2 * 0.5 - 0.5 * 3));
}

}  // namespace stillroom::prune
