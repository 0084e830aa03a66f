#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/adamw_step.h"
#include "plugins/lm/kernels/row_sums.h"

#include <cstdint>

struct CUstream_st;  // what cudaStream_t points to

namespace stillroom::lm {

// What a device does in one pass over memory, where LibTorch's operators would take several. Each
// is queued on a stream and returns the launch's cudaError_t. Pointers are the device's; elements
// are fp32 or, with `halves`, bf16, computed in fp32. Loops for the CPU beside them are the twins
// that tests compare them to.

/// Logits of a chunk's rows as they come out of the product, [rows, stride], of which `words`
/// count. A row begins on 16 bytes.
struct LogitRows {
    const void* t = nullptr;  ///< not looked at for `student`
    void* s = nullptr;        ///< becomes the slopes
    bool halves = false;
    std::int64_t rows = 0, words = 0, stride = 0;
    float t_cap = 0, s_cap = 0;  ///< 0: none
    float temperature = 1, beta = 0;
    Divergence divergence = Divergence::forward;
};

/// LaneSlopes of each row, and what no formula gives.
struct RowSlopes {
    const float *t_log = nullptr, *s_log = nullptr, *teacher = nullptr, *student = nullptr,
                *ratio = nullptr, *s_most = nullptr, *plain = nullptr;
    const std::int64_t* label = nullptr;   ///< a word here or -1
    const float* label_slope = nullptr;    ///< is added there
    const std::int64_t* begins = nullptr;  ///< [rows + 1] of `words`; null: no row has any
    const std::int64_t* words = nullptr;   ///< whose slopes are given
    float* values = nullptr;               ///< the slopes, overwritten on the way
};

/// A range of flat buffers. A line is 16 numbers of one parameter.
struct FlatUpdate {
    float *master = nullptr, *mean = nullptr, *square = nullptr;
    const float* gradient = nullptr;
    std::uint16_t* rounded = nullptr;      ///< bf16; null: none
    const std::uint8_t* decays = nullptr;  ///< of each line
    std::int64_t count = 0;                ///< a multiple of 16
    AdamwFactors by;
};

/// gate(a)·b, as kernels/gated.h has it; each begins on 16 bytes.
struct GatedRange {
    const void *a = nullptr, *b = nullptr, *dy = nullptr;  ///< dy: backward alone
    void *out = nullptr, *da = nullptr, *db = nullptr;     ///< out forward, da and db backward
    std::int64_t count = 0;
    bool halves = false, silu = true;
};

/// [tokens, heads, dim] turned, as kernels/rotate.h has it.
struct TurnedHeads {
    const void *x = nullptr, *cos = nullptr, *sin = nullptr;
    void* out = nullptr;
    std::int64_t tokens = 0, heads = 0, dim = 0, half = 0;
    bool halves = false;
};

inline constexpr int kSquareParts = 512;  ///< sums that square_sums leaves to be added up

struct DeviceKernels {
    int (*logit_sums)(const LogitRows&, const std::int64_t* label, RowSums* sums, CUstream_st*);
    /// Of each row two sums: mixture_block's.
    int (*logit_mixture)(const LogitRows&, const RowSlopes&, double* sums, CUstream_st*);
    int (*logit_slopes)(const LogitRows&, const RowSlopes&, CUstream_st*);
    int (*adamw)(const FlatUpdate&, CUstream_st*);
    /// Squares of the numbers of lines that are `counted`: kSquareParts sums, the same each time.
    int (*square_sums)(const float* x,
                       const std::uint8_t* counted,
                       std::int64_t count,
                       double* sums,
                       CUstream_st*);
    int (*gated)(const GatedRange&, CUstream_st*);
    int (*gated_backward)(const GatedRange&, CUstream_st*);
    int (*rotate)(const TurnedHeads&, CUstream_st*);
    const char* (*message)(int status);
};

/// Null where the build had no CUDA.
STILLROOM_API const DeviceKernels* device_kernels();

}  // namespace stillroom::lm
