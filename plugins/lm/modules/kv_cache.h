#pragma once

#include "engine/base/api.h"

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <vector>

namespace stillroom::lm {

// S tokens so far, G key/value heads, K head dim

/// Keys and values of the tokens that one sequence has been through, layer by layer, so that the
/// next ones are computed alone. A copy shares nothing that either side later changes.
class STILLROOM_API KvCache {
public:
    struct Kept {
        at::Tensor keys_SGK, values_SGK;
    };

    explicit KvCache(std::size_t layers) : layers_(layers) {}

    std::int64_t length() const { return length_; }  ///< tokens that all layers hold

    /// Puts the new tokens of one layer behind those it has; all of them, as views.
    Kept append(std::size_t layer, const at::Tensor& keys_TGK, const at::Tensor& values_TGK);

    /// Where a layer's tokens lie, with room for so many new ones behind those it has; the tensors
    /// may be longer.
    const Kept& room(std::size_t layer, std::int64_t tokens, const at::Tensor& like_TGK);

    void advance(std::int64_t tokens) { length_ += tokens; }  ///< when each layer has appended
    void truncate(std::int64_t length);                       ///< forgets what came after
    KvCache copy() const;

private:
    std::vector<Kept> layers_;  // [capacity, G, K]; undefined until something is appended
    std::int64_t length_ = 0;
};

}  // namespace stillroom::lm
