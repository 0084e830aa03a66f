#include "plugins/lm/kernels/accumulate.h"

#include <cuda_runtime.h>

namespace stillroom::lm {
namespace {

constexpr int kThreads = 256;
constexpr std::size_t kMostBlocks = 132 * 8;  // eight for each multiprocessor of an H100 or H200

__global__ void accumulate_kernel(float* main,
                                  const float* gradient,
                                  float scale,
                                  std::size_t count) {
    std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
    for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
         i += stride)
        main[i] += scale * gradient[i];
}

}  // namespace

int accumulate_cuda(
    float* main, const float* gradient, float scale, std::size_t count, cudaStream_t stream) {
    if (count == 0)
        return cudaSuccess;
    std::size_t blocks = (count + kThreads - 1) / kThreads;
    if (blocks > kMostBlocks)
        blocks = kMostBlocks;
    accumulate_kernel<<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(
        main, gradient, scale, count);
    return cudaGetLastError();
}

}  // namespace stillroom::lm
