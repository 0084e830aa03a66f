#include "tests/plugins/lm/modules/cases.h"

#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "plugins/lm/config/config_file.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <cstring>
#include <stdexcept>

namespace stillroom::lm {
namespace {

/// The changes by hand that make.py calls LAYERS.
void change_layers(ModelConfig& config, const Json& changes) {
    for (const Json::Member& change : changes.map()) {
        Layer& layer = config.layers.at(std::stoul(change.key));
        if (change.value.is_string()) {
            if (change.value.string() == "no attention")
                layer.attention.reset();
            else
                layer.mlp.reset();
            continue;
        }
        layer.attention->heads = change.value.at("num_attention_heads").integer();
        layer.attention->kv_heads = change.value.at("num_key_value_heads").integer();
        layer.mlp->width = change.value.at("intermediate_size").integer();
    }
}

at::Tensor ids_of(const Json& rows) {
    std::vector<std::int64_t> ids;
    for (const Json& row : rows.list())
        for (const Json& id : row.list())
            ids.push_back(id.integer());
    return at::tensor(ids, at::kLong).view({std::ssize(rows.list()), -1});
}

std::vector<Case> read_cases() {
    c10::InferenceMode no_inference(false);  // they serve tests of gradients too
    const std::filesystem::path folder = STILLROOM_SOURCE "/tests/reference/models";
    Json text = Json::parse(read_file(folder / "cases.json", 1 << 20));
    std::string blob = read_file(folder / "logits.bin", 1 << 20);
    std::size_t at = 0;
    auto numbers = [&](at::ScalarType type, const at::Tensor& ids_BT, std::int64_t vocab) {
        at::Tensor out = at::empty({ids_BT.size(0), ids_BT.size(1), vocab}, type);
        if (at + out.nbytes() > blob.size())
            throw std::runtime_error("logits.bin is shorter than cases.json says");
        std::memcpy(out.mutable_data_ptr(), blob.data() + at, out.nbytes());
        at += out.nbytes();
        return out;
    };
    std::vector<Case> out;
    for (const Json& entry : text.list()) {
        Case one;
        one.name = entry.at("name").string();
        one.config_text = entry.at("config").string();
        one.config = ConfigFile::parse(one.config_text, one.name).model();
        if (const Json* changes = entry.find("layers"))
            change_layers(one.config, *changes);
        if (const Json* saved = entry.find("saved"))
            for (const Json::Member& name : saved->map())
                one.saved[name.key] = name.value.string();
        if (const Json* others = entry.find("others"))
            for (const Json::Member& other : others->map())
                for (const Json& size : other.value.list())
                    one.others[other.key].push_back(size.integer());
        one.ids_BT = ids_of(entry.at("ids"));
        one.logits_BTV = numbers(at::kFloat, one.ids_BT, one.config.vocab);
        one.half_BTV = numbers(at::kBFloat16, one.ids_BT, one.config.vocab);
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace

/// splitmix64 of FNV-1a of the name plus the index: upper byte - 128, over 128.
at::Tensor made_numbers(const std::string& name, const std::vector<std::int64_t>& shape) {
    std::uint64_t seed = 0xCBF29CE484222325;
    for (char byte : name)
        seed = (seed ^ static_cast<unsigned char>(byte)) * 0x100000001B3;
    at::Tensor out = at::empty(shape, at::kFloat);
    float* values = out.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < out.numel(); i++) {
        std::uint64_t x = seed + static_cast<std::uint64_t>(i) + 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        x = x ^ (x >> 31);
        values[i] = (static_cast<float>(x >> 56) - 128) / 128;
    }
    return out;
}

at::Tensor made_weight(const ModelConfig& config,
                       const std::string& name,
                       const std::vector<std::int64_t>& shape) {
    at::Tensor value = made_numbers(name, shape);
    if (name.find("norm") != std::string::npos) {
        value = value / 4;
        if (name.ends_with("weight") && config.norm == Norm::rms)
            value = (value * 128).round() / 128 + 1;
    } else if (name.find("embed_tokens") == std::string::npos &&
               name.find("lm_head") == std::string::npos) {
        value = value / 4;
    }
    return value;
}

const std::vector<Case>& cases() {
    static const std::vector<Case> all = read_cases();
    return all;
}

const Case& case_named(const std::string& name) {
    for (const Case& one : cases())
        if (one.name == name)
            return one;
    throw std::runtime_error("no case " + name);
}

Decoder made_decoder(const ModelConfig& config, at::ScalarType type) {
    return build_decoder(config, [&](const std::string& name, const auto& shape) {
        return made_weight(config, name, shape).to(type);
    });
}

at::Tensor logits_of(const Decoder& decoder, const Batch& batch) {
    return logits(decoder, hidden_states(decoder, batch));
}

double max_gap(const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>();
}

double cosine(const at::Tensor& a, const at::Tensor& b) {
    at::Tensor x = a.flatten().to(at::kDouble), y = b.flatten().to(at::kDouble);
    return (x.dot(y) / (x.norm() * y.norm())).item<double>();
}

}  // namespace stillroom::lm
