#pragma once

#include "plugins/lm/modules/decoder.h"
#include "plugins/lm/parallel/model_part.h"

namespace stillroom::lm {

/// This rank's part of a whole tensor.
STILLROOM_API void copy_part(const HeldWeight& held,
                             const at::Tensor& whole,
                             const at::Tensor& into);

/// What a rank holds, of a source of whole tensors: of a weight that ranks share its part, of any
/// other the tensor as it comes. What other stages hold, and nobody reads here, is zeros without
/// memory, as `options` say.
STILLROOM_API TensorSource part_source(const ModelPart& part,
                                       const TensorSource& whole,
                                       const at::TensorOptions& options);

/// Ranks that sum over a matrix add its bias once: the first of them.
STILLROOM_API void drop_row_bias(Decoder& decoder, const ModelPart& part);

/// The decoder of a part; where its ranks come together is for the caller to say.
STILLROOM_API Decoder build_part(const ModelPart& part,
                                 const TensorSource& whole,
                                 const at::TensorOptions& options);

}  // namespace stillroom::lm
