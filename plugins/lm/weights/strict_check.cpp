#include "plugins/lm/weights/strict_check.h"

#include "engine/base/error.h"
#include "plugins/lm/config/families.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace stillroom::lm {
namespace {

constexpr std::string_view kHeadName = "lm_head.weight";

/// What stands in folders beside the decoder and is no mistake there.
bool is_allowed(std::string_view name) {
    return name.ends_with("rotary_emb.inv_freq") || name.starts_with("mtp.") ||
           name.starts_with("model.mtp.");
}

/// "intermediate_size 11008": of the first dimension that differs, or of all.
std::string implied(const Weight& weight, const Shape& found) {
    std::string out;
    for (std::size_t i = 0; i < weight.dims.size(); ++i) {
        if (found.size() == weight.dims.size() && found[i] == weight.dims[i].size())
            continue;
        std::string sizes;
        for (const Segment& segment : weight.dims[i].segments)
            for (const AxisSize& part : segment)
                sizes += fmt::format(
                    "{}{} {}", sizes.empty() ? "" : ", ", config_key(part.axis), part.size);
        if (found.size() == weight.dims.size())
            return sizes;
        out += (out.empty() ? "" : ", ") + sizes;
    }
    return out;
}

class Checker {
public:
    Checker(const ModelConfig& model,
            const WeightTable& table,
            std::span<const FoundTensor> found,
            const std::filesystem::path& config)
        : model_(model),
          table_(table),
          found_(found),
          config_(config) {}

    StrictReport check() {
        for (const FoundTensor& tensor : found_)
            if (auto [first, added] = by_name_.emplace(tensor.name, &tensor); !added)
                throw refusal(tensor.file,
                              tensor.name,
                              fmt::format("stands in {} too", first->second->file.string()));
        for (const Weight& weight : table_)
            check(weight);
        StrictReport report;
        for (const FoundTensor& tensor : found_)
            if (!table_.find(tensor.name))
                check_unexpected(tensor, report);
        return report;
    }

private:
    static Error refusal(const std::filesystem::path& file,
                         std::string_view name,
                         std::string_view why) {
        return Error({}, fmt::format("{}: {} {}", file.string(), shown(name), why))
            .exit_code(kExitBadInput);
    }

    void check(const Weight& weight) const {
        auto at = by_name_.find(weight.name);
        if (at == by_name_.end())
            throw missing(weight);
        const FoundTensor& tensor = *at->second;
        check_shape(weight, tensor);
        check_dtype(tensor);
    }

    Error missing(const Weight& weight) const {
        std::filesystem::path folder = config_.parent_path();
        if (weight.name == kHeadName)
            return refusal(folder, weight.name, "is missing: tie_word_embeddings is false")
                .hint(fmt::format("a model whose head is its embedding has tie_word_embeddings "
                                  "true in {}",
                                  config_.string()));
        return refusal(folder,
                       weight.name,
                       fmt::format("is missing: config.json expects {}", to_string(weight.shape())))
            .hint(weight.layer < 0
                      ? "is a shard missing?"
                      : fmt::format("num_hidden_layers is {}: does it fit, is a shard missing?",
                                    model_.layers.size()));
    }

    void check_shape(const Weight& weight, const FoundTensor& tensor) const {
        if (tensor.shape != weight.shape())
            throw refusal(tensor.file,
                          tensor.name,
                          fmt::format("is {}, config.json expects {}: {}",
                                      to_string(tensor.shape),
                                      to_string(weight.shape()),
                                      implied(weight, tensor.shape)));
    }

    static void check_dtype(const FoundTensor& tensor) {
        if (tensor.dtype != Dtype::f32 && tensor.dtype != Dtype::bf16 && tensor.dtype != Dtype::f16)
            throw refusal(tensor.file,
                          tensor.name,
                          fmt::format("is {}: a weight is F32, BF16 or F16", name_of(tensor.dtype)))
                .hint("a folder of quantized weights is not supported yet");
    }

    void check_unexpected(const FoundTensor& tensor, StrictReport& report) const {
        if (model_.tied && tensor.name == kHeadName) {
            const Shape expected{model_.vocab, model_.hidden};
            if (tensor.shape != expected)
                throw refusal(tensor.file,
                              tensor.name,
                              fmt::format("is {}: the head of a tied model is its embedding, {}",
                                          to_string(tensor.shape),
                                          to_string(expected)));
            report.has_tied_head = true;
        } else if (is_allowed(tensor.name)) {
            report.ignored.push_back(tensor.name);
        } else {
            throw refusal(tensor.file,
                          tensor.name,
                          fmt::format("{} is no part of a {} of {} layers with these keys",
                                      to_string(tensor.shape),
                                      traits_of(model_.family).model_type,
                                      model_.layers.size()))
                .hint(hint_of(tensor.name));
        }
    }

    static std::string hint_of(std::string_view name) {
        if (name.ends_with(".bias"))
            return "attention_bias and mlp_bias in config.json say which biases there are";
        if (name.ends_with("_scale_inv") || name.ends_with(".weight_scale"))
            return "scales of quantized weights: such a folder is not supported yet";
        return "nothing is left out silently: config.json or the file is of another model";
    }

    const ModelConfig& model_;
    const WeightTable& table_;
    std::span<const FoundTensor> found_;
    const std::filesystem::path& config_;
    std::unordered_map<std::string, const FoundTensor*> by_name_;
};

}  // namespace

StrictReport strict_check(const ModelConfig& model,
                          const WeightTable& table,
                          std::span<const FoundTensor> found,
                          const std::filesystem::path& config) {
    return Checker(model, table, found, config).check();
}

StrictReport strict_check(const ModelConfig& model,
                          const WeightTable& table,
                          const TensorFolder& folder) {
    std::vector<FoundTensor> found;
    for (const FolderTensor& tensor : folder.tensors())
        found.push_back(
            {tensor.file->path(), tensor.info->name, tensor.info->dtype, tensor.info->shape});
    StrictReport report = strict_check(model, table, found, folder.path() / "config.json");
    report.ignored.insert(report.ignored.end(), folder.left_out().begin(), folder.left_out().end());
    return report;
}

StrictReport strict_check(const ConfigFile& config,
                          const WeightTable& table,
                          const TensorFolder& folder) {
    if (folder.is_multimodal() && !config.is_text_tower())
        throw Error({},
                    fmt::format("{}: its tensors are a multimodal model's, {}, but its "
                                "config.json is a decoder's alone",
                                folder.path().string(),
                                folder.left_out().empty()
                                    ? "by their names"
                                    : fmt::format("as {}", shown(folder.left_out().front()))))
            .hint("nothing is left out silently: config.json or the file is of another model")
            .exit_code(kExitBadInput);
    return strict_check(config.model(), table, folder);
}

void check_tied_head(const TensorFolder& folder) {
    FolderTensor head = folder.at(kHeadName);
    FolderTensor embedding = folder.at("model.embed_tokens.weight");
    bool same = head.info->dtype == embedding.info->dtype;
    if (same) {
        std::span<const std::byte> one = head.bytes(), other = embedding.bytes();
        same = std::equal(one.begin(), one.end(), other.begin(), other.end());
    }
    head.forget();
    embedding.forget();
    folder.check();
    if (!same)
        throw Error({},
                    fmt::format("{}: {} is not the embedding, but tie_word_embeddings is true",
                                head.file->path().string(),
                                head.info->name))
            .hint("set tie_word_embeddings false in config.json if the model has a head of its own")
            .exit_code(kExitBadInput);
}

}  // namespace stillroom::lm
