#include "plugins/checkpoint/runtime_needs.h"

#include "engine/base/units.h"
#include "plugins/lm/config/loadable.h"

#include <fmt/format.h>

namespace stillroom::checkpoint {
namespace {

/// "all rows are multiples of 128", or the first weight whose are not.
std::string multiples(const lm::WeightTable& table, std::int64_t of, std::string_view what) {
    for (const lm::Weight& weight : table)
        if (weight.dims.size() == 2 && weight.dims[1].size() % of != 0)
            return fmt::format("{} needs rows that are multiples of {}: {} has {}",
                               what,
                               of,
                               weight.name,
                               weight.dims[1].size());
    return fmt::format("{} fits: all rows are multiples of {}", what, of);
}

std::vector<std::string> of_gguf(const lm::ModelConfig& model, const lm::WeightTable& table) {
    std::vector<std::string> out = {
        fmt::format("a GGUF file of architecture {}; llama.cpp's convert_hf_to_gguf.py makes one "
                    "of this folder",
                    lm::gguf_architecture(model.family)),
        multiples(table, 32, "Q8_0, Q4_0 and their like"),
        multiples(table, 256, "the K-quants")};
    for (const lm::Layer& layer : model.layers)
        if (layer.attention && layer.attention->head_dim * layer.attention->heads != model.hidden) {
            out.push_back(
                fmt::format("attention.key_length and value_length {}: heads x head_dim "
                            "is {}, not hidden_size {}",
                            layer.attention->head_dim,
                            layer.attention->heads * layer.attention->head_dim,
                            model.hidden));
            break;
        }
    return out;
}

std::vector<std::string> of_server(const Inspection& found, const lm::WeightTable& table) {
    return {"the folder as it is; no remote code is needed",
            fmt::format("a tensor-parallel size of {}", fmt::join(found.tp_sizes, ", ")),
            fmt::format("{} for the weights, and {} for each token of the cache, over all devices",
                        size_text(found.memory_bytes),
                        size_text(found.kv_bytes)),
            multiples(table, 128, "int4 in groups of 128"),
            multiples(table, 16, "NVFP4")};
}

}  // namespace

std::vector<std::string> needs_of(const Inspection& found, const std::string& runtime) {
    std::vector<std::string> out;
    for (const lm::LoadsIn& one : found.loads_in)
        if (one.runtime == runtime && !one.loads)
            out.push_back(fmt::format("it does not load this model: {}", one.note));
    for (const lm::Misfit& misfit : lm::misfits(found.model))
        out.push_back(fmt::format("{}; {}", misfit.message, misfit.hint));
    lm::WeightTable table = lm::weight_table(found.model);
    std::vector<std::string> more =
        runtime == "llama.cpp" ? of_gguf(found.model, table) : of_server(found, table);
    out.insert(out.end(), more.begin(), more.end());
    return out;
}

}  // namespace stillroom::checkpoint
