#pragma once

#include "engine/base/api.h"
#include "plugins/lm/config/model_config.h"
#include "plugins/lm/weights/dtype.h"
#include "plugins/lm/weights/gguf.h"

namespace stillroom::lm {

/// The model in a GGUF file, whose weights are to be stored as `dtype`. Numbers that went through
/// fp32 come back as the shortest decimal of that fp32: 1e-05, not 9.999999747378752e-06.
///
/// Throws Error (exit 3), by name, for what Stillroom does not understand: an architecture, a key
/// of the architecture, a RoPE scaling.
STILLROOM_API ModelConfig gguf_model(const GgufFile& file, Dtype dtype);

}  // namespace stillroom::lm
