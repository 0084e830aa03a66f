#pragma once

#include "engine/base/api.h"
#include "plugins/lm/config/model_config.h"
#include "plugins/lm/parallel/layout.h"
#include "plugins/lm/weights/runs.h"
#include "plugins/lm/weights/tensor.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace stillroom::lm {

/// How the gradient of what a rank holds comes together with that of the ranks beside it.
enum class Sharing : std::uint8_t {
    own,      ///< nobody else holds it, or all hold it and have the same gradient
    summed,   ///< ranks that share the layer each have a part of its gradient
    at_ends,  ///< the tied embedding of a pipeline: its first and its last stage
};

/// What a rank holds of a weight.
struct HeldWeight {
    std::string name;    ///< Hugging Face's
    Shape whole, shape;  ///< of the checkpoint's tensor, and of this part
    int dim = 0;         ///< the part is these indices along it
    Runs runs;
    Sharing sharing = Sharing::own;
    bool counted = true;  ///< in the norm of all: of equal copies one is

    bool is_whole() const { return whole == shape; }
    bool operator==(const HeldWeight&) const = default;
};

/// What a rank of a layout holds of a model, and the model that it takes its part for: of its own
/// heads, widths and words, with the layers of other stages absent.
struct ModelPart {
    ModelConfig config;
    std::vector<HeldWeight> weights;  ///< in the table's order
    std::size_t first_layer = 0, last_layer = 0;
    bool embeds = true, heads = true;  ///< the first stage of the pipeline; the last
    std::int64_t first_word = 0;       ///< of the rows of embedding and head
    std::int64_t words = 0;            ///< of all ranks; 0: those that are here
    std::int64_t head_words = 0;       ///< rows that the head uses: no padding
    bool row_bias = true;              ///< adds the bias of matrices that ranks sum over
};

struct PartRequest {
    Layout layout;
    LayoutPlace place;
    bool sequence = false;        ///< ranks that share a layer share the tokens between layers
    std::int64_t head_words = 0;  ///< of logits that count, over all ranks; 0: all
};

/// Throws Error (exit 2) where it does not divide.
STILLROOM_API ModelPart part_of(const ModelConfig& config, const PartRequest& request);

}  // namespace stillroom::lm
