#include "plugins/lm/modules/load.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "plugins/lm/config/loadable.h"
#include "plugins/lm/modules/device.h"
#include "plugins/lm/weights/processor.h"
#include "plugins/lm/weights/tensor_writer.h"
#include "tests/engine/temporary_folder.h"
#include "tests/plugins/lm/modules/cases.h"

#include <c10/core/InferenceMode.h>
#include <c10/util/accumulate.h>
#include <doctest/doctest.h>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

/// Writes a case as a model folder in bf16, its tensors as `change` leaves them.
void write_model(const std::filesystem::path& folder,
                 const Case& one,
                 const std::function<void(std::vector<NewTensor>&)>& change = {}) {
    write_file(folder / "config.json", one.config_text);
    std::vector<NewTensor> tensors;
    build_decoder(one.config, [&](const std::string& name, const auto& shape) {
        at::Tensor value = made_weight(one.config, name, shape).to(at::kBFloat16);
        tensors.push_back(
            {.info = {.name = name, .dtype = Dtype::bf16, .shape = shape},
             .from = {},
             .make = [value](const WriteBytes& write) {
                 write({static_cast<const std::byte*>(value.const_data_ptr()), value.nbytes()});
             }});
        return value;
    });
    if (change)
        change(tensors);
    save_model(folder, tensors, {});
}

}  // namespace

TEST_CASE("a model folder computes its logits, weights mapped or converted") {
    c10::InferenceMode inference;
    const Case& one = case_named("qwen2");
    TemporaryFolder folder;
    write_model(folder.path(), one);
    Batch batch = batch_of_rows(one.ids_BT);

    Loaded wide = load_decoder(folder.path(), at::kCPU, at::kFloat);
    CHECK(max_gap(logits_of(wide.decoder, batch).view_as(one.logits_BTV), one.logits_BTV) <=
          kTolerance);

    Loaded same = load_decoder(folder.path(), at::kCPU, at::kBFloat16);
    CHECK(cosine(logits_of(same.decoder, batch), one.half_BTV) >= 0.9999);
    const auto* weight = static_cast<const std::byte*>(same.decoder.embed_tokens.const_data_ptr());
    std::span<const std::byte> file = same.files->at("model.embed_tokens.weight").bytes();
    CHECK(weight == file.data());  // not a copy

    Decoder kept = std::move(same.decoder);
    same.files.reset();  // the weights keep the file open
    CHECK(cosine(logits_of(kept, batch), one.half_BTV) >= 0.9999);
}

TEST_CASE("matrices kept in bf16 under fp32 give the same logits, in every family") {
    c10::InferenceMode inference;
    for (const Case& one : cases()) {
        if (!one.saved.empty() || !is_uniform(one.config))
            continue;
        CAPTURE(one.name);
        TemporaryFolder folder;
        write_model(folder.path(), one);
        Loaded loaded = load_decoder(folder.path(), at::kCPU, at::kFloat, Narrow::kept);
        CHECK((loaded.decoder.embed_tokens.scalar_type() == at::kBFloat16));
        at::Tensor logits_BTV =
            logits_of(loaded.decoder, batch_of_rows(one.ids_BT)).view_as(one.logits_BTV);
        CHECK((logits_BTV.scalar_type() == at::kFloat));
        CHECK(max_gap(logits_BTV, one.logits_BTV) <= kTolerance);
    }
}

TEST_CASE("of a multimodal folder the decoder is loaded, by whatever names it was saved") {
    c10::InferenceMode inference;
    int seen = 0;
    for (const Case& one : cases()) {
        if (one.saved.empty())
            continue;
        CAPTURE(one.name);
        TemporaryFolder folder;
        write_model(folder.path(), one, [&](std::vector<NewTensor>& tensors) {
            CHECK(tensors.size() == one.saved.size());
            for (NewTensor& tensor : tensors)
                tensor.info.name = one.saved.at(tensor.info.name);
            for (const auto& [name, shape] : one.others)
                tensors.push_back(
                    {.info = {.name = name, .dtype = Dtype::bf16, .shape = shape},
                     .from = {},
                     .make = [bytes = 2 * c10::multiply_integers(shape)](auto& write) {
                         write(std::vector<std::byte>(static_cast<std::size_t>(bytes)));
                     }});
        });
        Loaded loaded = load_decoder(folder.path(), at::kCPU, at::kFloat);
        CHECK(loaded.files->left_out().size() == one.others.size());
        CHECK(max_gap(logits_of(loaded.decoder, batch_of_rows(one.ids_BT)).view_as(one.logits_BTV),
                      one.logits_BTV) <= kTolerance);
        ++seen;
    }
    CHECK(seen == 5);
}

TEST_CASE("a folder without a tensor, or with one of another shape or type, is refused by name") {
    const Case& one = case_named("llama");
    auto message = [&](const std::function<void(std::vector<NewTensor>&)>& change) {
        TemporaryFolder folder;
        write_model(folder.path(), one, change);
        try {
            load_decoder(folder.path(), at::kCPU, at::kFloat);
        } catch (const Error& error) {
            CHECK(error.exit_code() == kExitBadInput);
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(message([](auto& tensors) { tensors.pop_back(); }).find("lm_head.weight") !=
          std::string::npos);
    CHECK(message([](auto& tensors) {
              tensors[1].info.shape = {48, 64};
          }).find("[48, 64]") != std::string::npos);
    CHECK(message([](auto& tensors) { tensors[1].info.dtype = Dtype::i16; }).find("I16") !=
          std::string::npos);
}

TEST_CASE("a device and a type are named, and auto follows the machine") {
    CHECK((compute_device("cpu") == at::Device(at::kCPU)));
    CHECK_THROWS_WITH_AS(compute_device("gpu"), "'gpu' is no device", Error);
    CHECK_THROWS_WITH_AS(compute_device("cuda:x"), "'cuda:x' is no device", Error);
    CHECK((compute_type("float32", at::kCPU) == at::kFloat));
    CHECK((compute_type("bfloat16", at::kCPU) == at::kBFloat16));
    CHECK((compute_type("auto", at::kCPU) == (cpu_multiplies_bf16() ? at::kBFloat16 : at::kFloat)));
    CHECK((compute_type("auto", at::Device(at::kCUDA, 0)) == at::kBFloat16));
    CHECK_THROWS_AS(compute_type("int8", at::kCPU), Error);
}
