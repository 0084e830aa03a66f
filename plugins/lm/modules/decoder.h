#pragma once

#include "plugins/lm/modules/attention.h"
#include "plugins/lm/modules/mlp.h"
#include "plugins/lm/modules/norm.h"
#include "plugins/lm/modules/watch.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::lm {

// A decoder is its config and its weights; what it computes are the functions below, on one device
// and plain to read. Weights may be leading slices of wider ones as long as the config says so: a
// candidate of pruning is a Decoder of views. Nothing here turns gradients on or off.
//
// T tokens of all sequences, D hidden, V vocabulary

/// One block and the residual add after it: x += out_norm(block(norm(x))).
struct LayerWeights {
    std::optional<AttentionWeights> attention;
    std::optional<MlpWeights> mlp;
    NormWeights attention_norm, mlp_norm;          ///< before each branch
    NormWeights attention_out_norm, mlp_out_norm;  ///< after it, in families with four norms
};

/// Where ranks that share each layer come together; empty where a rank has whole layers.
struct Crossing {
    using Step = std::function<at::Tensor(const at::Tensor&)>;

    Step enter;  ///< to matrices of which each has some rows
    Step leave;  ///< from those of which each has some columns
};

struct Decoder {
    ModelConfig config;
    at::Tensor embed_tokens;  ///< [V, D]
    std::vector<LayerWeights> layers;
    NormWeights norm;
    at::Tensor lm_head;  ///< [V, D]; the embedding itself where they are tied

    /// What is computed in, where matrices are kept narrower than that (load.h).
    std::optional<at::ScalarType> wide_type;

    Crossing crossing;
    std::int64_t first_word = 0;  ///< of embedding and head
    std::int64_t words = 0;       ///< of all ranks; 0: those that are here
};

/// A tensor by its name in a Hugging Face checkpoint, on its device and of its type. `shape` is
/// what the config implies.
using TensorSource =
    std::function<at::Tensor(const std::string& name, const std::vector<std::int64_t>& shape)>;

/// Takes every tensor that the config implies. Throws Error where one has another shape.
STILLROOM_API Decoder build_decoder(const ModelConfig& config, const TensorSource& source);

STILLROOM_API at::Tensor embed(const Decoder& decoder, const Batch& batch);

/// Layers [first, last) over what is before them. Caches are appended to, not advanced.
STILLROOM_API at::Tensor run_layers(const Decoder& decoder,
                                    at::Tensor x_TD,
                                    const Batch& batch,
                                    std::size_t first,
                                    std::size_t last,
                                    const Watch& watch = {});

/// No cache can stand in for a text of this length: each new token needs all of it (`dynamic` RoPE
/// beyond the positions that the model knows).
STILLROOM_API bool needs_whole_text(const ModelConfig& config, std::int64_t length);

/// What the head takes of what the last layer gives: the final norm.
STILLROOM_API at::Tensor head_input(const Decoder& decoder, const at::Tensor& x_TD);

/// From ids to what the head takes: all layers, the final norm. Advances the caches.
STILLROOM_API at::Tensor hidden_states(const Decoder& decoder,
                                       const Batch& batch,
                                       const Watch& watch = {});

/// [T, V] for as many rows as are given: take the rows that are needed before.
STILLROOM_API at::Tensor logits(const Decoder& decoder, const at::Tensor& hidden_TD);

/// The last row of each sequence.
STILLROOM_API at::Tensor last_tokens(const at::Tensor& x_TD, const Batch& batch);

}  // namespace stillroom::lm
