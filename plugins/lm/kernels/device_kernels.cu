#include "plugins/lm/kernels/device_kernels.h"
#include "plugins/lm/kernels/flat_cuda.h"
#include "plugins/lm/kernels/logit_rows_cuda.h"

#include <cuda_runtime.h>

namespace stillroom::lm {
namespace {

constexpr std::int64_t kMostBlocks = 132 * 8;  // eight for each multiprocessor of an H100 or H200

unsigned blocks_for(std::int64_t threads) {
    std::int64_t blocks = (threads + kFlatThreads - 1) / kFlatThreads;
    return static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks);
}

template <Divergence Kind>
void launch_sums(const LogitRows& in,
                 const std::int64_t* label,
                 RowSums* sums,
                 cudaStream_t stream) {
    auto rows = static_cast<unsigned>(in.rows);
    if (in.halves)
        logit_sums_kernel<Half, Kind><<<rows, kRowThreads, 0, stream>>>(in, label, sums);
    else
        logit_sums_kernel<float, Kind><<<rows, kRowThreads, 0, stream>>>(in, label, sums);
}

int logit_sums(const LogitRows& in, const std::int64_t* label, RowSums* sums, cudaStream_t stream) {
    switch (in.divergence) {
        case Divergence::forward:
            launch_sums<Divergence::forward>(in, label, sums, stream);
            break;
        case Divergence::reverse:
            launch_sums<Divergence::reverse>(in, label, sums, stream);
            break;
        case Divergence::jsd:
            launch_sums<Divergence::jsd>(in, label, sums, stream);
            break;
        case Divergence::student:
            launch_sums<Divergence::student>(in, label, sums, stream);
            break;
    }
    return cudaGetLastError();
}

int logit_mixture(const LogitRows& in, const RowSlopes& slopes, double* sums, cudaStream_t stream) {
    auto rows = static_cast<unsigned>(in.rows);
    if (in.halves)
        logit_mixture_kernel<Half><<<rows, kRowThreads, 0, stream>>>(in, slopes, sums);
    else
        logit_mixture_kernel<float><<<rows, kRowThreads, 0, stream>>>(in, slopes, sums);
    return cudaGetLastError();
}

template <Divergence Kind>
void launch_slopes(const LogitRows& in, const RowSlopes& slopes, cudaStream_t stream) {
    auto rows = static_cast<unsigned>(in.rows);
    if (in.halves)
        logit_slopes_kernel<Half, Kind><<<rows, kRowThreads, 0, stream>>>(in, slopes);
    else
        logit_slopes_kernel<float, Kind><<<rows, kRowThreads, 0, stream>>>(in, slopes);
}

int logit_slopes(const LogitRows& in, const RowSlopes& slopes, cudaStream_t stream) {
    switch (in.divergence) {
        case Divergence::forward:
            launch_slopes<Divergence::forward>(in, slopes, stream);
            break;
        case Divergence::reverse:
            launch_slopes<Divergence::reverse>(in, slopes, stream);
            break;
        case Divergence::jsd:
            launch_slopes<Divergence::jsd>(in, slopes, stream);
            break;
        case Divergence::student:
            launch_slopes<Divergence::student>(in, slopes, stream);
            break;
    }
    return cudaGetLastError();
}

int adamw(const FlatUpdate& update, cudaStream_t stream) {
    if (update.count > 0)
        adamw_kernel<<<blocks_for(update.count / kPack<float>), kFlatThreads, 0, stream>>>(update);
    return cudaGetLastError();
}

int square_sums(const float* x,
                const std::uint8_t* counted,
                std::int64_t count,
                double* sums,
                cudaStream_t stream) {
    square_sums_kernel<<<kSquareParts, kFlatThreads, 0, stream>>>(x, counted, count, sums);
    return cudaGetLastError();
}

int gated(const GatedRange& range, cudaStream_t stream) {
    unsigned blocks = blocks_for(range.count / (range.halves ? kPack<Half> : kPack<float>)+1);
    if (range.count > 0 && range.halves)
        gated_kernel<Half><<<blocks, kFlatThreads, 0, stream>>>(range);
    else if (range.count > 0)
        gated_kernel<float><<<blocks, kFlatThreads, 0, stream>>>(range);
    return cudaGetLastError();
}

int gated_backward(const GatedRange& range, cudaStream_t stream) {
    unsigned blocks = blocks_for(range.count / (range.halves ? kPack<Half> : kPack<float>)+1);
    if (range.count > 0 && range.halves)
        gated_backward_kernel<Half><<<blocks, kFlatThreads, 0, stream>>>(range);
    else if (range.count > 0)
        gated_backward_kernel<float><<<blocks, kFlatThreads, 0, stream>>>(range);
    return cudaGetLastError();
}

int rotate(const TurnedHeads& heads, cudaStream_t stream) {
    std::int64_t count = heads.tokens * heads.heads * (heads.dim - heads.half);
    if (count > 0 && heads.halves)
        rotate_kernel<Half><<<blocks_for(count), kFlatThreads, 0, stream>>>(heads);
    else if (count > 0)
        rotate_kernel<float><<<blocks_for(count), kFlatThreads, 0, stream>>>(heads);
    return cudaGetLastError();
}

const char* message(int status) {
    return cudaGetErrorString(static_cast<cudaError_t>(status));
}

constexpr DeviceKernels kKernels{logit_sums,
                                 logit_mixture,
                                 logit_slopes,
                                 adamw,
                                 square_sums,
                                 gated,
                                 gated_backward,
                                 rotate,
                                 message};

}  // namespace

const DeviceKernels* device_kernels() {
    return &kKernels;
}

}  // namespace stillroom::lm
