#pragma once

#include "plugins/lm/config/model_config.h"
#include "plugins/lm/weights/axis.h"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace stillroom::lm {

// The one table of a model's tensors. Import, export, strict checks, counts, slicing, sharding and
// GGUF read it; none of them knows a family.

/// What turns a weight's values into those of its GGUF tensor. Reading undoes it.
enum class GgufTransform : std::uint8_t {
    none,
    pair_rows,  ///< q and k of some: within each head of dims[0], which is heads (or
                ///< kv_heads) x head_dim, row j·d/2 + i becomes row 2i + j (j = 0, 1)
    plus_one,   ///< stored as w + 1
};

struct Weight {
    std::string name;       ///< Hugging Face's
    std::vector<Dim> dims;  ///< as torch has them: rows first
    int layer = -1;         ///< of the decoder; -1: none of its layers
    std::optional<int>
        tp_dim;        ///< split over tensor-parallel ranks along it; none: each has a copy
    std::string gguf;  ///< "blk.0.attn_q.weight"
    GgufTransform gguf_transform = GgufTransform::none;

    Shape shape() const;
    std::int64_t count() const;  ///< parameters
    bool operator==(const Weight&) const = default;
};

/// All tensors of a model, in the order in which they are used. An absent block has none; a tied
/// model has no lm_head.
class STILLROOM_API WeightTable {
public:
    explicit WeightTable(std::vector<Weight> weights);

    const std::vector<Weight>& weights() const { return weights_; }
    const Weight* find(std::string_view name) const;       ///< null: no such tensor
    const Weight* find_gguf(std::string_view name) const;  ///< by its name in GGUF
    auto begin() const { return weights_.begin(); }
    auto end() const { return weights_.end(); }
    std::size_t size() const { return weights_.size(); }

private:
    std::vector<Weight> weights_;
    std::unordered_map<std::string, std::size_t> by_name_, by_gguf_;
};

STILLROOM_API WeightTable weight_table(const ModelConfig& config);

/// "llama", "qwen2", ...: `general.architecture`. Mistral is llama there.
STILLROOM_API std::string_view gguf_architecture(Family family);

}  // namespace stillroom::lm
