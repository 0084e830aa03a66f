#include "plugins/lm/modules/perplexity.h"

#include "engine/base/error.h"
#include "plugins/lm/modules/token_losses.h"
#include "tests/plugins/lm/modules/cases.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <doctest/doctest.h>

#include <cmath>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

std::vector<std::int32_t> some_ids(std::size_t count) {
    std::vector<std::int32_t> ids;
    for (std::size_t i = 0; i < count; i++)
        ids.push_back(static_cast<std::int32_t>((i * i + 3 * i + 7) % 61));
    return ids;
}

/// Losses of the tokens [asked, end) after [begin, asked), from logits as they are.
std::vector<double> plain_losses(const Decoder& decoder,
                                 const std::vector<std::int32_t>& ids,
                                 const Window& window) {
    c10::InferenceMode inference;
    std::vector<std::int64_t> part(ids.begin() + window.begin, ids.begin() + window.end);
    Batch batch = batch_of_rows(at::tensor(part, at::kLong).unsqueeze(0));
    at::Tensor shares = at::log_softmax(logits_of(decoder, batch), -1, at::kDouble);
    std::vector<double> out;
    for (std::int64_t i = window.asked; i < window.end; i++)
        out.push_back(
            -shares[i - 1 - window.begin][ids[static_cast<std::size_t>(i)]].item<double>());
    return out;
}

}  // namespace

TEST_CASE("windows ask for every token but the first once, rows for all but their first") {
    for (std::int64_t tokens : {2, 9, 10, 11, 37, 40})
        for (std::int64_t stride : {1, 4, 9}) {
            CAPTURE(tokens);
            CAPTURE(stride);
            std::int64_t next = 1;
            for (const Window& window : windows(tokens, 10, stride)) {
                CHECK(window.asked == next);
                CHECK(window.end - window.begin <= 10);
                next = window.end;
            }
            CHECK(next == tokens);
        }
    std::vector<Window> rows = windows(25, 10, 10);
    REQUIRE(rows.size() == 3);
    CHECK(rows[1].asked == 11);
    CHECK(rows[2].predicted() == 4);
    CHECK(windows(25, 10, 10, false).size() == 2);
    CHECK(windows(21, 10, 10).size() == 2);  // a token alone has no context
    CHECK_THROWS_AS(windows(25, 10, 11), Error);
    CHECK_THROWS_AS(windows(25, 1, 1), Error);
}

TEST_CASE("the losses over windows are those of the logits, in batches of any size") {
    std::vector<std::int32_t> ids = some_ids(150);
    for (const char* name : {"llama-tied", "gemma2", "mistral-window"})
        for (std::int64_t stride : {7, 20}) {
            CAPTURE(name);
            Decoder decoder = made_decoder(case_named(name).config);
            std::vector<Window> asked = windows(150, 20, stride);
            double sum = 0, squares = 0;
            std::int64_t count = 0;
            for (const Window& window : asked)
                for (double loss : plain_losses(decoder, ids, window)) {
                    sum += loss;
                    squares += loss * loss;
                    count++;
                }
            for (std::int64_t batch_tokens : {1, 64, 100000}) {
                Losses found = losses_over(decoder, ids, asked, batch_tokens);
                CHECK(found.tokens == count);
                CHECK(found.sum == doctest::Approx(sum).epsilon(1e-6));
                CHECK(found.squares == doctest::Approx(squares).epsilon(1e-6));
            }
        }
}

TEST_CASE("perplexity and its standard error are those of the mean") {
    Losses losses{.sum = 6, .squares = 14, .tokens = 3};  // 1, 2, 3
    CHECK(losses.mean() == 2);
    CHECK(losses.perplexity() == doctest::Approx(std::exp(2.0)));
    CHECK(losses.standard_error() == doctest::Approx(1 / std::sqrt(3.0)));
}

TEST_CASE("progress is told of every batch and can end the work") {
    Decoder decoder = made_decoder(case_named("llama").config);
    std::vector<std::int32_t> ids = some_ids(100);
    std::vector<std::size_t> seen;
    Losses found = losses_over(decoder, ids, windows(100, 10, 10), 20, [&](std::size_t done) {
        seen.push_back(done);
        return done < 6;
    });
    CHECK(seen == std::vector<std::size_t>{2, 4, 6});
    CHECK(found.tokens == 54);
}

TEST_CASE("a target beyond the vocabulary is refused, one below zero costs nothing") {
    c10::InferenceMode inference;
    const Case& one = case_named("llama");
    Decoder decoder = made_decoder(one.config);
    at::Tensor hidden = hidden_states(decoder, batch_of_rows(one.ids_BT));
    at::Tensor targets = at::full({hidden.size(0)}, -1, at::kLong);
    CHECK(token_losses(decoder, hidden, targets).abs().sum().item<double>() == 0);
    targets[3] = 64;
    CHECK_THROWS_AS(token_losses(decoder, hidden, targets), Error);
}
