#include "plugins/lm/kernels/logit_lanes.h"

#include "tests/plugins/lm/kernels/tiers.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

using namespace stillroom::lm;

namespace {

constexpr double kBeta = 0.3;
constexpr Divergence kAll[] = {
    Divergence::forward, Divergence::reverse, Divergence::jsd, Divergence::student};
const std::vector<double> kTeacher{2, 1, 0, -1}, kStudent{1, 1, 0, 0};  // of the golden numbers

std::vector<double> lane_of(const std::vector<float>& x, std::size_t lanes, std::size_t lane) {
    std::vector<double> out;
    for (std::size_t i = lane; i < x.size(); i += lanes)
        out.push_back(double{x[i]});
    return out;
}

std::vector<double> over(std::vector<double> x, double by) {
    for (double& value : x)
        value /= by;
    return x;
}

/// The golden logits in every lane.
std::vector<float> golden_lanes(const std::vector<double>& x,
                                std::size_t first,
                                std::size_t count) {
    std::vector<float> out;
    for (std::size_t i = first; i < first + count; i++)
        out.insert(out.end(), kLaneStep, static_cast<float>(x[i]));
    return out;
}

double loss_of(const RowSums& sums, Divergence divergence) {
    if (divergence == Divergence::student)
        return sums.s_log();
    double logs = sums.t_log() - sums.s_log();
    return divergence == Divergence::forward ? sums.cross / sums.t_sum - logs
                                             : sums.cross / sums.s_sum + logs;
}

}  // namespace

TEST_CASE("divergences and their slopes are the golden ones") {
    auto close = [](const std::vector<double>& found, const std::vector<double>& expected) {
        for (std::size_t i = 0; i < expected.size(); i++)
            CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-6));
    };
    std::vector<double> slopes(4);
    CHECK(divergence_of(Divergence::forward, 0, kTeacher, kStudent, slopes) ==
          doctest::Approx(0.17807483).epsilon(1e-7));
    close(slopes, {-0.2783850, 0.1286465, 0.0473264, 0.1024121});
    CHECK(divergence_of(Divergence::forward, 0, over(kTeacher, 2), over(kStudent, 2), slopes) ==
          doctest::Approx(0.05664445).epsilon(1e-7));
    close(over(slopes, 2), {-0.0719123, 0.0176127, 0.0106826, 0.0436170});
    CHECK(divergence_of(Divergence::reverse, 0, kTeacher, kStudent) ==
          doctest::Approx(0.20272225).epsilon(1e-7));
    CHECK(divergence_of(Divergence::jsd, 0.5, kTeacher, kStudent) ==
          doctest::Approx(0.04583999).epsilon(1e-6));
    CHECK(divergence_of(Divergence::student, 0, {}, kStudent) - kStudent[0] ==
          doctest::Approx(1.00640887).epsilon(1e-7));
}

TEST_CASE("two halves of a vocabulary give five numbers a row, and merged the whole") {
    for (Tier tier : tiers()) {
        RowSums halves[2];
        for (std::size_t half : {0, 1}) {
            LaneSums sums(kLaneStep, Divergence::forward, 1);
            sums.add(tier,
                     golden_lanes(kTeacher, 2 * half, 2).data(),
                     golden_lanes(kStudent, 2 * half, 2).data(),
                     2,
                     static_cast<std::int64_t>(2 * half));
            halves[half] = sums.row(3);
        }
        CHECK(halves[0].t_most == 2);
        CHECK(halves[0].t_sum == doctest::Approx(1.3678794).epsilon(1e-7));
        CHECK(halves[0].s_most == 1);
        CHECK(halves[0].s_sum == 2);
        CHECK(halves[0].cross == 1);
        CHECK(halves[1].t_most == 0);
        CHECK(halves[1].t_sum == doctest::Approx(1.3678794).epsilon(1e-7));
        CHECK(halves[1].s_most == 0);
        CHECK(halves[1].s_sum == 2);
        CHECK(halves[1].cross == doctest::Approx(-0.3678794).epsilon(1e-6));
        halves[0].merge(halves[1], Divergence::forward, 1);
        CHECK(loss_of(halves[0], Divergence::forward) == doctest::Approx(0.17807483).epsilon(1e-6));
        CHECK(halves[0].t_first == 0);
        CHECK(halves[0].s_first == 0);  // the lower of two equal ones
    }
}

TEST_CASE("sums over lanes are their twin's on every tier, in blocks and in parts") {
    for (Tier tier : tiers())
        for (Divergence divergence :
             {Divergence::forward, Divergence::reverse, Divergence::student})
            for (double temperature : {1.0, 3.0})
                for (std::size_t words : {1, 7, 200}) {
                    CAPTURE(static_cast<int>(tier));
                    CAPTURE(static_cast<int>(divergence));
                    std::size_t lanes = 2 * kLaneStep, half = words / 2;
                    std::vector<float> t = wave(words * lanes, 0.37, 9),
                                       s = wave(t.size(), 0.53, 6);
                    LaneSums first(lanes, divergence, temperature),
                        second(lanes, divergence, temperature);
                    for (std::size_t w = 0; w < half; w++)  // words one by one, then the rest
                        first.add(tier, &t[w * lanes], &s[w * lanes], 1, static_cast<long>(w));
                    second.add(tier,
                               &t[half * lanes],
                               &s[half * lanes],
                               words - half,
                               static_cast<long>(half));
                    for (std::size_t lane = 0; lane < lanes; lane++) {
                        RowSums sums = first.row(lane);
                        sums.merge(second.row(lane), divergence, temperature);
                        std::vector<double> row_t = lane_of(t, lanes, lane),
                                            row_s = lane_of(s, lanes, lane);
                        double expected = divergence_of(divergence, 0, row_t, row_s);
                        CHECK(std::abs(loss_of(sums, divergence) - expected) <=
                              5e-7 * (1 + std::abs(expected)));
                        for (double& x : row_s)
                            x *= temperature;
                        CHECK(std::log(sums.ce_sum) + temperature * sums.s_most ==
                              doctest::Approx(divergence_of(Divergence::student, 0, {}, row_s))
                                  .epsilon(1e-6));
                        auto largest = std::max_element(row_s.begin(), row_s.end());
                        CHECK(sums.s_first == largest - row_s.begin());
                    }
                }
}

TEST_CASE("slopes over lanes are their twin's on every tier, far apart too") {
    for (Tier tier : tiers())
        for (Divergence divergence : kAll)
            for (double temperature : {1.0, 3.0})
                for (double size : {0.5, 4.0, 60.0}) {
                    CAPTURE(static_cast<int>(tier));
                    CAPTURE(static_cast<int>(divergence));
                    CAPTURE(size);
                    std::size_t words = 100, lanes = kLaneStep;
                    std::vector<float> t = wave(words * lanes, 0.37, size),
                                       s = wave(t.size(), 0.53, size / 2), d(t.size());
                    LaneSlopes slopes(lanes);
                    std::vector<double> t_sums(lanes), s_sums(lanes);
                    for (std::size_t lane = 0; lane < lanes; lane++) {
                        std::vector<double> row_t = lane_of(t, lanes, lane),
                                            row_s = lane_of(s, lanes, lane), plain = row_s;
                        slopes.t_log[lane] =
                            static_cast<float>(divergence_of(Divergence::student, 0, {}, row_t));
                        double s_log = divergence_of(Divergence::student, 0, {}, row_s);
                        slopes.s_log[lane] = static_cast<float>(s_log);
                        slopes.s_most[lane] =
                            static_cast<float>(*std::max_element(row_s.begin(), row_s.end()));
                        for (double& x : plain)
                            x *= temperature;
                        slopes.plain[lane] = static_cast<float>(
                            temperature == 1
                                ? 0
                                : std::exp(temperature * double{slopes.s_most[lane]} -
                                           divergence_of(Divergence::student, 0, {}, plain)));
                    }
                    if (divergence == Divergence::jsd)
                        mixture_block(
                            tier, slopes, kBeta, t.data(), s.data(), words, t_sums, s_sums);
                    for (std::size_t lane = 0; lane < lanes; lane++) {
                        std::vector<double> row_t = lane_of(t, lanes, lane),
                                            row_s = lane_of(s, lanes, lane);
                        double loss = divergence_of(divergence, kBeta, row_t, row_s);
                        double log_ratio = double{slopes.s_log[lane]} - slopes.t_log[lane];
                        double student = divergence == Divergence::student ? 1 : 0, ratio = 0;
                        if (divergence == Divergence::reverse) {
                            ratio = 1;
                            student = -log_ratio - loss;
                        } else if (divergence == Divergence::jsd) {
                            CHECK(std::abs(kBeta * t_sums[lane] + (1 - kBeta) * s_sums[lane] -
                                           loss) <= 2e-6);
                            ratio = 1 - kBeta;
                            student = -(1 - kBeta) * s_sums[lane];
                        }
                        slopes.teacher[lane] = 1;
                        slopes.student[lane] = static_cast<float>(student);
                        slopes.ratio[lane] = static_cast<float>(ratio);
                    }
                    auto check = [&] {
                        for (std::size_t lane = 0; lane < lanes; lane++) {
                            std::vector<double> row_t = lane_of(t, lanes, lane),
                                                row_s = lane_of(s, lanes, lane), expected(words),
                                                plain(words, 0.0);
                            divergence_of(divergence, kBeta, row_t, row_s, expected);
                            if (temperature != 1) {
                                for (double& x : row_s)
                                    x *= temperature;
                                divergence_of(Divergence::student, 0, {}, row_s, plain);
                            }
                            for (std::size_t w = 0; w < words; w++)
                                CHECK(std::abs(d[w * lanes + lane] - expected[w] - plain[w]) <=
                                      1.5e-6 * std::max(1.0, size));
                        }
                    };
                    slope_block(tier,
                                divergence,
                                slopes,
                                kBeta,
                                temperature,
                                t.data(),
                                s.data(),
                                d.data(),
                                words);
                    check();
                    if (temperature != 1 ||
                        (divergence != Divergence::forward && divergence != Divergence::student))
                        continue;
                    // From powers over the largest of the words until then, in two blocks.
                    std::fill(d.begin(), d.end(), 7.0F);
                    LaneSums plain(lanes, divergence, 1), keeping = plain;
                    for (std::size_t first : {std::size_t{0}, words / 3}) {
                        std::size_t at = first * lanes,
                                    count = first == 0 ? words / 3 : words - first;
                        std::vector<float> t_powers(count * lanes), s_powers(t_powers),
                            t_most(lanes), s_most(lanes);
                        LanePowers powers{.t = t_powers.data(),
                                          .s = s_powers.data(),
                                          .t_most = t_most.data(),
                                          .s_most = s_most.data()};
                        auto word = static_cast<std::int64_t>(first);
                        plain.add(tier, &t[at], &s[at], count, word);
                        keeping.add(tier, &t[at], &s[at], count, word, &powers);
                        power_slope_block(tier, divergence, slopes, powers, &d[at], count);
                    }
                    check();
                    for (std::size_t lane = 0; lane < lanes; lane++)
                        CHECK(keeping.row(lane).s_sum == plain.row(lane).s_sum);
                    if (divergence == Divergence::student)
                        continue;
                    // A model against itself.
                    LaneSums same(lanes, divergence, 1);
                    std::vector<float> powers(2 * t.size()), most(2 * lanes);
                    LanePowers kept{.t = &powers[0],
                                    .s = &powers[t.size()],
                                    .t_most = &most[0],
                                    .s_most = &most[lanes]};
                    same.add(tier, t.data(), t.data(), words, 0, &kept);
                    slopes.s_log = slopes.t_log;
                    power_slope_block(tier, divergence, slopes, kept, d.data(), words);
                    CHECK(std::all_of(d.begin(), d.end(), [](float x) { return x == 0; }));
                }
}

TEST_CASE("a logit that is no number is seen in its lane, and in no other") {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    for (Tier tier : tiers())
        for (Divergence divergence : kAll)
            for (float wrong : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()})
                for (bool in_teacher : {false, true}) {
                    if (in_teacher && divergence == Divergence::student)
                        continue;
                    std::vector<float> t = wave(40 * kLaneStep, 0.3, 2), s = wave(t.size(), 0.4, 2);
                    (in_teacher ? t : s)[20 * kLaneStep + 5] = wrong;
                    LaneSums sums(kLaneStep, divergence, 1);
                    sums.add(tier, t.data(), s.data(), 40, 0);
                    for (std::size_t lane = 0; lane < kLaneStep; lane++)
                        CHECK(std::isfinite(sums.row(lane).cross) == (lane != 5));
                }
}

TEST_CASE("a cap bends logits and their slopes as tanh does") {
    for (Tier tier : tiers()) {
        std::vector<float> x = wave(4 * kLaneStep, 0.9, 70), capped = x, d(x.size(), 1.0F);
        cap_block(tier, capped.data(), x.size(), 30, 2);
        uncap_block(tier, capped.data(), d.data(), x.size(), 30, 2);
        for (std::size_t i = 0; i < x.size(); i++) {
            double bent = std::tanh(double{x[i]} / 30);
            CHECK(std::abs(capped[i] - 15 * bent) <= 5e-6);
            CHECK(std::abs(d[i] - (1 - bent * bent)) <= 1e-6);
        }
    }
}
