#include "plugins/lm/weights/weight_table.h"

#include "plugins/lm/weights/decoder_table.h"

namespace stillroom::lm {

Shape Weight::shape() const {
    Shape out;
    for (const Dim& dim : dims)
        out.push_back(dim.size());
    return out;
}

std::int64_t Weight::count() const {
    return elements(shape());
}

WeightTable::WeightTable(std::vector<Weight> weights) : weights_(std::move(weights)) {
    for (std::size_t i = 0; i < weights_.size(); ++i) {
        by_name_.emplace(weights_[i].name, i);
        by_gguf_.emplace(weights_[i].gguf, i);
    }
}

const Weight* WeightTable::find(std::string_view name) const {
    auto found = by_name_.find(std::string(name));
    return found == by_name_.end() ? nullptr : &weights_[found->second];
}

const Weight* WeightTable::find_gguf(std::string_view name) const {
    auto found = by_gguf_.find(std::string(name));
    return found == by_gguf_.end() ? nullptr : &weights_[found->second];
}

// All families of today are dense decoders that differ in rows of one table; a family with tensors
// of its own brings a file beside decoder_table and a case here.
WeightTable weight_table(const ModelConfig& config) {
    return WeightTable(decoder_weights(config));
}

std::string_view gguf_architecture(Family family) {
    switch (family) {
        case Family::llama:
        case Family::mistral:
            return "llama";
        case Family::qwen2:
            return "qwen2";
        case Family::qwen3:
            return "qwen3";
        case Family::gemma:
            return "gemma";
        case Family::gemma2:
            return "gemma2";
        case Family::gemma3:
            return "gemma3";
        case Family::nemotron:
            return "nemotron";
        case Family::granite:
            return "granite";
    }
    return "";
}

}  // namespace stillroom::lm
