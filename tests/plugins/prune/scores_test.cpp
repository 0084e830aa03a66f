#include "plugins/prune/scores.h"

#include "engine/base/error.h"

#include <doctest/doctest.h>

#include <cmath>

namespace stillroom::prune {

TEST_CASE("importance is the root of the summed squares, and a head's the norm of its channels") {
    RawScores raw;
    raw.attention_input = {{5, 5, 4}};
    raw.mlp_input = {{0, 4, 0}};
    raw.ffn = {{5, 5, 4}};
    raw.heads = {{1, 4, 9, 16, 4, 4, 0, 25}};
    raw.layers = {0.29289322};
    Scores scores = scores_of(raw, 2);
    CHECK(scores.ffn[0][0] == doctest::Approx(2.236068));
    CHECK(scores.ffn[0][2] == 2);
    CHECK(scores.hidden[1] == doctest::Approx(2.236068 + 2));  // roots are added, not squares
    CHECK(scores.heads[0] == std::vector<float>{std::sqrt(5.0F), 5, std::sqrt(8.0F), 5});
}

TEST_CASE("sums of two halves are the sums of the whole") {
    RawScores one, other;
    one.ffn = {{1, 2}}, other.ffn = {{3, 4}};
    one.layers = {0.5}, other.layers = {0.25};
    one.rows = 2, other.rows = 3;
    RawScores sum;
    sum.add(one);
    sum.add(other);
    CHECK(sum.ffn == std::vector<std::vector<double>>{{4, 6}});
    CHECK(sum.layers == std::vector<double>{0.75});
    CHECK(sum.rows == 5);
}

TEST_CASE("a sum that is no number is told with layer and hook") {
    RawScores raw;
    raw.ffn = {{1, 2}, {1, NAN}};
    raw.attention_input = {{1}, {1}};
    try {
        require_numbers(raw);
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(std::string(error.what()) ==
              "layer 1: what the input of down_proj shows is no number, first at channel 1");
        CHECK(error.exit_code() == kExitNumeric);
    }
}

}  // namespace stillroom::prune
