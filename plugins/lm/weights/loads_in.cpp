#include "plugins/lm/weights/loads_in.h"

#include "plugins/lm/config/loadable.h"
#include "plugins/lm/weights/tensor_parallel.h"
#include "plugins/lm/weights/weight_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr const char* kUnequal =
    "layers of unequal shapes: its classes take one number of heads and one width for all";

/// Rows of a quantized GGUF tensor are whole blocks.
std::string gguf_note(const ModelConfig& model) {
    bool by_32 = true, by_256 = true;
    for (const Weight& weight : weight_table(model)) {
        if (weight.dims.size() < 2)
            continue;
        std::int64_t row = weight.dims.back().size();
        by_32 = by_32 && row % 32 == 0;
        by_256 = by_256 && row % 256 == 0;
    }
    if (!by_32)
        return "as GGUF of F16 or BF16: rows are no multiple of 32, which its quantized types need";
    return by_256 ? "as GGUF" : "as GGUF: rows are no multiple of 256, which its K-quants need";
}

}  // namespace

std::vector<LoadsIn> loads_in(const ModelConfig& model) {
    bool uniform = is_uniform(model);
    std::vector<Misfit> found = misfits(model);
    std::vector<LoadsIn> out;
    std::string why = !uniform ? kUnequal : found.empty() ? "" : found.front().message;
    out.push_back({"transformers", why.empty(), why});
    std::string tensor_parallel =
        fmt::format("tensor-parallel sizes {}", fmt::join(tp_sizes(model), ", "));
    for (const char* runtime : {"vllm", "sglang", "tensorrt-llm"})
        out.push_back({runtime, why.empty(), why.empty() ? tensor_parallel : why});
    bool groups = std::none_of(found.begin(), found.end(), [](const Misfit& misfit) {
        return misfit.message.find("KV heads") != std::string::npos;
    });
    bool gguf = uniform && groups;
    out.push_back({"llama.cpp",
                   gguf,
                   gguf      ? gguf_note(model)
                   : uniform ? found.front().message
                             : kUnequal});
    return out;
}

}  // namespace stillroom::lm
