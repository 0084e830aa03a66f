#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "plugins/lm/modules/decoder.h"
#include "plugins/lm/modules/device.h"
#include "tests/plugins/lm/modules/cases.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/zeros_like.h>
#include <doctest/doctest.h>

#include <map>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

/// A decoder whose weights want gradients, and they by name.
struct Trained {
    std::map<std::string, at::Tensor> weights;
    Decoder decoder;

    explicit Trained(const ModelConfig& config, at::Device device = at::kCPU) {
        decoder = build_decoder(config, [&](const std::string& name, const auto& shape) {
            weights[name] = made_weight(config, name, shape).to(device).requires_grad_(true);
            return weights[name];
        });
    }
};

/// The mean over all next tokens.
at::Tensor loss_of(const Decoder& decoder, const at::Tensor& ids_BT) {
    std::int64_t rows = ids_BT.size(0), tokens = ids_BT.size(1);
    at::Tensor all_BTV = logits_of(decoder, batch_of_rows(ids_BT)).view({rows, tokens, -1});
    at::Tensor logits = all_BTV.narrow(1, 0, tokens - 1).flatten(0, 1);
    at::Tensor next = ids_BT.narrow(1, 1, tokens - 1).flatten().to(logits.device());
    return at::cross_entropy_loss(logits, next);
}

double relative(double found, double expected, double size) {
    return std::abs(found - expected) / size;
}

}  // namespace

TEST_CASE("loss and every gradient of every family are PyTorch's") {
    Json expected = Json::parse(
        read_file(STILLROOM_SOURCE "/tests/reference/models/gradients.json", std::size_t{1} << 20));
    for (std::size_t i = 0; i < cases().size(); i++) {
        const Case& one = cases()[i];
        CAPTURE(one.name);
        const Json& reference = expected.list()[i];
        Trained trained(one.config);
        at::Tensor loss = loss_of(trained.decoder, one.ids_BT);
        CHECK(loss.item<double>() == doctest::Approx(reference.at("loss").number()).epsilon(1e-6));
        loss.backward();
        std::size_t compared = 0;
        for (const auto& [name, weight] : trained.weights) {
            const Json* numbers = reference.at("tensors").find(name);
            if (!numbers)
                continue;
            CAPTURE(name);
            compared++;
            at::Tensor gradient = weight.grad().to(at::kDouble);
            double length = numbers->list()[0].number();
            at::Tensor pattern = made_numbers(name + "'", weight.sizes().vec()).to(at::kDouble);
            double product = (gradient * pattern).sum().item<double>();
            CHECK(relative(gradient.norm().item<double>(), length, length) <= 1e-5);
            CHECK(relative(product,
                           numbers->list()[1].number(),
                           length * pattern.norm().item<double>()) <= 1e-5);
        }
        CHECK(compared >= trained.weights.size() - 1);
        CHECK(compared == reference.at("tensors").map().size());
    }
}

TEST_CASE("gradients are added to where they lie already, in fp32 for bf16 weights too") {
    for (const char* name : {"llama", "gemma2", "qwen2", "nemotron"}) {
        const Case& one = case_named(name);
        CAPTURE(one.name);
        Trained alone(one.config), main(one.config);
        loss_of(alone.decoder, one.ids_BT).backward();
        for (auto& [key, weight] : main.weights)
            weight.mutable_grad() = at::full_like(weight.detach(), 2.0);
        loss_of(main.decoder, one.ids_BT).backward();
        for (auto& [key, weight] : main.weights) {
            CAPTURE(key);
            CHECK(max_gap(weight.grad() - 2.0, alone.weights[key].grad()) <= 1e-5);
        }
    }
}

TEST_CASE("every family's gradients on a device are the CPU's") {
    at::Device device = compute_device("auto");
    if (device.is_cpu()) {
        MESSAGE("skipped: no CUDA device");
        return;
    }
    for (const Case& one : cases()) {
        CAPTURE(one.name);
        Trained here(one.config), there(one.config, device);
        at::Tensor loss = loss_of(here.decoder, one.ids_BT);
        at::Tensor other = loss_of(there.decoder, one.ids_BT);
        CHECK(other.item<double>() == doctest::Approx(loss.item<double>()).epsilon(1e-5));
        loss.backward();
        other.backward();
        for (const auto& [name, weight] : here.weights) {
            CAPTURE(name);
            double length = weight.grad().norm().item<double>();
            CHECK(max_gap(there.weights[name].grad().cpu(), weight.grad()) <=
                  1e-4 * (length + 1e-6));
        }
    }
}
