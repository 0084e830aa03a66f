#include "plugins/lm/modules/decoder.h"

#include "engine/base/error.h"
#include "tests/plugins/lm/modules/cases.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <doctest/doctest.h>

#include <map>

using namespace stillroom;
using namespace stillroom::lm;

TEST_CASE("every family and variation computes transformers' logits in fp32") {
    c10::InferenceMode inference;
    for (const Case& one : cases()) {
        CAPTURE(one.name);
        at::Tensor found = logits_of(made_decoder(one.config), batch_of_rows(one.ids_BT));
        CHECK(max_gap(found.view_as(one.logits_BTV), one.logits_BTV) <= kTolerance);
    }
}

TEST_CASE("bf16 logits point where transformers' do") {
    c10::InferenceMode inference;
    for (const Case& one : cases()) {
        CAPTURE(one.name);
        at::Tensor found =
            logits_of(made_decoder(one.config, at::kBFloat16), batch_of_rows(one.ids_BT));
        CHECK((found.scalar_type() == at::kBFloat16));
        CHECK(cosine(found, one.half_BTV) >= 0.9999);
    }
}

TEST_CASE(
    "where gradients are wanted, operators compute what the fused loops do, and pass them on") {
    for (const Case& one : cases()) {
        CAPTURE(one.name);
        for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
            std::vector<at::Tensor> weights;
            Decoder decoder =
                build_decoder(one.config, [&](const std::string& name, const auto& shape) {
                    weights.push_back(
                        made_weight(one.config, name, shape).to(type).requires_grad_(true));
                    return weights.back();
                });
            at::Tensor found = logits_of(decoder, batch_of_rows(one.ids_BT));
            if (type == at::kFloat)
                CHECK(max_gap(found.detach().view_as(one.logits_BTV), one.logits_BTV) <=
                      kTolerance);
            else
                CHECK(cosine(found.detach(), one.half_BTV) >= 0.9999);
            found.square().mean().backward();
            for (const at::Tensor& weight : weights)
                CHECK((weight.grad().defined() && weight.grad().abs().sum().item<double>() > 0));
        }
    }
}

TEST_CASE("a sequence computes the same among others, padded on either side or packed") {
    c10::InferenceMode inference;
    for (const Case& one : cases()) {
        CAPTURE(one.name);
        Decoder decoder = made_decoder(one.config);
        std::int64_t length = one.ids_BT.size(1), shorter = length - 3;
        at::Tensor first = one.ids_BT.narrow(0, 0, 1),
                   second = one.ids_BT.slice(1, 2, 2 + shorter).narrow(0, 0, 1);
        at::Tensor plain = logits_of(decoder, batch_of_rows(first));
        at::Tensor other = logits_of(decoder, batch_of_rows(second));

        at::Tensor packed = logits_of(
            decoder,
            batch_of_packed(at::cat({second, first}, 1).flatten(), {0, shorter, shorter + length}));
        CHECK(max_gap(packed.slice(0, 0, shorter), other) <= kTolerance);
        CHECK(max_gap(packed.slice(0, shorter), plain) <= kTolerance);

        for (bool left : {true, false}) {
            at::Tensor padding = at::zeros({1, 3}, at::kLong),
                       real = at::ones({1, shorter}, at::kLong);
            at::Tensor row = left ? at::cat({padding, second}, 1) : at::cat({second, padding}, 1);
            at::Tensor mask =
                at::cat({at::ones({1, length}, at::kLong),
                         left ? at::cat({padding, real}, 1) : at::cat({real, padding}, 1)});
            at::Tensor found = with_padding(
                logits_of(decoder, batch_without_padding(at::cat({first, row}), mask)), mask);
            CHECK(max_gap(found[0], plain) <= kTolerance);
            CHECK(max_gap(left ? found[1].slice(0, 3) : found[1].slice(0, 0, shorter), other) <=
                  kTolerance);
            CHECK(max_gap(left ? found[1].slice(0, 0, 3) : found[1].slice(0, shorter),
                          at::zeros({3, one.config.vocab})) == 0);
        }
    }
}

TEST_CASE("what is cached gives the logits of the whole text, in pieces of any length") {
    c10::InferenceMode inference;
    for (const Case& one : cases()) {
        CAPTURE(one.name);
        Decoder decoder = made_decoder(one.config);
        at::Tensor ids = one.ids_BT[0];
        std::int64_t length = ids.size(0);
        if (needs_whole_text(one.config, length))
            continue;
        std::vector<std::int64_t> pieces = {5, 1, 1, length - 9, 1, 1};
        KvCache cache(decoder.layers.size());
        std::int64_t begin = 0;
        for (std::int64_t piece : pieces) {
            Batch batch = batch_of_rows(ids.narrow(0, begin, piece).unsqueeze(0));
            batch.caches = {&cache};
            at::Tensor found = logits_of(decoder, batch);
            begin += piece;
            CHECK(cache.length() == begin);
            at::Tensor whole =
                logits_of(decoder, batch_of_rows(ids.narrow(0, 0, begin).unsqueeze(0)));
            CHECK(max_gap(found[-1], whole[-1]) <= kTolerance);
        }
        CHECK(begin == length);
    }
}

TEST_CASE("a text that bends all angles cannot go on from a cache") {
    c10::InferenceMode inference;
    const Case& one = case_named("llama-dynamic");  // knows 16 positions
    Decoder decoder = made_decoder(one.config);
    KvCache cache(decoder.layers.size());
    auto go_on = [&](std::int64_t begin, std::int64_t end) {
        Batch batch = batch_of_rows(one.ids_BT.slice(1, begin, end));
        batch.caches = {&cache};
        return logits_of(decoder, batch);
    };
    CHECK(!needs_whole_text(one.config, 16));
    CHECK(needs_whole_text(one.config, 17));
    go_on(0, 10);
    go_on(10, 16);
    CHECK_THROWS_WITH_AS(go_on(16, 17),
                         "a text of 17 tokens bends all angles of this model, which knows 16: it "
                         "cannot go on from what was computed before",
                         Error);
}

TEST_CASE("sequences with caches of different lengths go on together") {
    c10::InferenceMode inference;
    const Case& one = case_named("mistral-window");
    Decoder decoder = made_decoder(one.config);
    at::Tensor first = one.ids_BT.narrow(0, 0, 1), second = one.ids_BT.narrow(0, 1, 1);
    KvCache long_one(decoder.layers.size()), short_one(decoder.layers.size());
    Batch prompt = batch_of_packed(
        at::cat({first.slice(1, 0, 30), second.slice(1, 0, 4)}, 1).flatten(), {0, 30, 34});
    prompt.caches = {&long_one, &short_one};
    logits_of(decoder, prompt);
    for (std::int64_t step = 0; step < 4; step++) {
        Batch next = batch_of_rows(
            at::cat({first.slice(1, 30 + step, 31 + step), second.slice(1, 4 + step, 5 + step)}));
        next.caches = {&long_one, &short_one};
        at::Tensor found = logits_of(decoder, next);
        CHECK(max_gap(found[0], one.logits_BTV[0][30 + step]) <= kTolerance);
        CHECK(max_gap(found[1], one.logits_BTV[1][4 + step]) <= kTolerance);
    }
}

TEST_CASE(
    "tokens that are computed one by one are those of the whole text, however they were cut") {
    c10::InferenceMode inference;
    for (const Case& one : cases()) {
        std::int64_t length = one.ids_BT.size(1);
        if (needs_whole_text(one.config, length))
            continue;
        CAPTURE(one.name);
        for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
            Decoder decoder = made_decoder(one.config, type);
            // Always 16 rows, of which one text has some and filling has the others.
            auto written = [&](std::vector<std::int64_t> pieces) {
                KvCache cache(decoder.layers.size());
                std::vector<at::Tensor> logits;
                for (std::int64_t begin = 0, i = 0; begin < length; i++) {
                    std::int64_t count = std::min(
                        pieces[static_cast<std::size_t>(i) % pieces.size()], length - begin);
                    at::Tensor ids = at::zeros({16}, at::kLong);
                    ids.narrow(0, 0, count).copy_(one.ids_BT[0].narrow(0, begin, count));
                    Batch batch{.ids_T = ids, .lengths = {count}, .caches = {&cache}};
                    batch.one_by_one = true;
                    for (; count + std::ssize(batch.lengths) - 1 < 16; batch.lengths.push_back(1))
                        batch.caches.push_back(nullptr);
                    logits.push_back(logits_of(decoder, batch).narrow(0, 0, count));
                    begin += count;
                }
                return at::cat(logits, 0).to(at::kFloat);
            };
            at::Tensor found = written({1});
            CHECK(found.equal(written({16, 3, 1, 7})));
            if (type == at::kFloat)
                CHECK(max_gap(found, one.logits_BTV[0]) <= kTolerance);
            else
                CHECK(cosine(found, one.half_BTV[0]) >= 0.9999);
        }
    }
}

TEST_CASE("a copy of a cache goes its own way, a shortened one forgets") {
    c10::InferenceMode inference;
    const Case& one = case_named("qwen3");
    Decoder decoder = made_decoder(one.config);
    KvCache cache(decoder.layers.size());
    auto go_on = [&](KvCache& with, const at::Tensor& ids_1T) {
        Batch batch = batch_of_rows(ids_1T);
        batch.caches = {&with};
        return logits_of(decoder, batch);
    };
    at::Tensor first = one.ids_BT.narrow(0, 0, 1), second = one.ids_BT.narrow(0, 1, 1);
    go_on(cache, first.slice(1, 0, 10));
    KvCache twin = cache.copy();
    go_on(twin, second.slice(1, 10));
    go_on(cache, second.slice(1, 10));
    cache.truncate(10);
    CHECK(max_gap(go_on(cache, first.slice(1, 10)), one.logits_BTV[0].slice(0, 10)) <= kTolerance);
    CHECK(twin.length() == 20);
}

TEST_CASE("the head takes the rows that are wanted") {
    c10::InferenceMode inference;
    const Case& one = case_named("gemma2");
    Decoder decoder = made_decoder(one.config);
    Batch batch = batch_of_packed(one.ids_BT[0], {0, 12, one.ids_BT.size(1)});
    at::Tensor last = logits(decoder, last_tokens(hidden_states(decoder, batch), batch));
    REQUIRE(last.size(0) == 2);
    CHECK(max_gap(last[0], one.logits_BTV[0][11]) <= kTolerance);
}

TEST_CASE("leading slices of weights are a decoder of their own") {
    c10::InferenceMode inference;
    ModelConfig wide = case_named("qwen2").config, narrow = wide;
    narrow.hidden = 32;
    for (Layer& layer : narrow.layers)
        layer.mlp->width = 56;
    std::map<std::string, at::Tensor> kept;
    build_decoder(wide, [&](const std::string& name, const auto& shape) {
        return kept[name] = made_weight(wide, name, shape);
    });
    auto slice = [&](bool copied) {
        return build_decoder(narrow, [&](const std::string& name, const auto& shape) {
            at::Tensor view = kept.at(name);
            for (std::size_t dim = 0; dim < shape.size(); dim++)
                view = view.narrow(static_cast<std::int64_t>(dim), 0, shape[dim]);
            return copied ? view.contiguous() : view;
        });
    };
    Batch batch = batch_of_rows(case_named("qwen2").ids_BT);
    CHECK(max_gap(logits_of(slice(false), batch), logits_of(slice(true), batch)) <= kTolerance);
}

TEST_CASE("a watch sees each layer's normed inputs, middles and ends") {
    c10::InferenceMode inference;
    const Case& one = case_named("layers-of-their-own");
    Decoder decoder = made_decoder(one.config);
    std::vector<std::string> seen;
    auto note = [&](const char* what) {
        return [&seen, what](std::size_t layer, const at::Tensor& x) {
            seen.push_back(what + std::to_string(layer) + ":" + std::to_string(x.size(1)));
        };
    };
    at::Tensor ends;
    Watch watch{.attention_input = note("norm"),
                .heads = note("heads"),
                .mlp_input = note("mlp"),
                .mlp_middle = note("middle"),
                .layer = [&](std::size_t layer, const at::Tensor& in, const at::Tensor& out) {
                    CHECK((layer == 0 || max_gap(ends, in) == 0));
                    ends = out;
                }};
    hidden_states(decoder, batch_of_rows(one.ids_BT), watch);
    CHECK(seen == std::vector<std::string>{"norm0:48",
                                           "heads0:64",
                                           "mlp0:48",
                                           "middle0:80",
                                           "norm1:48",
                                           "heads1:96",
                                           "mlp1:48",
                                           "middle1:32",
                                           "mlp2:48",
                                           "middle2:80",
                                           "norm3:48",
                                           "heads3:64",
                                           "norm4:48",
                                           "heads4:32",
                                           "mlp4:48",
                                           "middle4:112"});
}

TEST_CASE("a tensor of another shape and an id beyond the vocabulary are named") {
    const Case& one = case_named("llama");
    std::string message;
    try {
        build_decoder(one.config, [](const std::string& name, const auto& shape) {
            return name.ends_with("up_proj.weight") ? at::zeros({80, 47}) : at::zeros(shape);
        });
    } catch (const Error& error) {
        message = error.what();
    }
    CHECK(message == "'model.layers.0.mlp.up_proj.weight' is [80, 47], expected [80, 48]");
    try {
        embed(made_decoder(one.config), batch_of_rows(at::ones({1, 2}, at::kLong) * 64));
    } catch (const Error& error) {
        message = error.what();
    }
    CHECK(message == "token 64 is none of the model's 64");
}
