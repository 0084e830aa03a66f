#pragma once

#include "engine/base/api.h"

#include <cstddef>

struct CUstream_st;  // what cudaStream_t points to

namespace stillroom::lm {

/// main[i] += scale * gradient[i], in fp32: how gradients gather over the micro-batches of a step.
STILLROOM_API void accumulate_plain(float* main,
                                    const float* gradient,
                                    float scale,
                                    std::size_t count);

/// The same on the device, queued on `stream`; returns the launch's cudaError_t. Only where CUDA
/// was compiled in.
STILLROOM_API int accumulate_cuda(
    float* main, const float* gradient, float scale, std::size_t count, CUstream_st* stream);

}  // namespace stillroom::lm
