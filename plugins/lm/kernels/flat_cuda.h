#pragma once

#include "plugins/lm/kernels/device_kernels.h"
#include "plugins/lm/kernels/elements_cuda.h"

// What goes over whole flat buffers, and over the elements of a layer's tensors: each thread takes
// every so many, however many there are. Included by CUDA code, and by tests that play a device.

namespace stillroom::lm {

constexpr int kFlatThreads = 256;
constexpr int kLine = 16;  // numbers that share a flag

__device__ inline std::int64_t first_of_thread() {
    return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ inline std::int64_t all_threads() {
    return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

static __global__ void adamw_kernel(FlatUpdate u) {
    const AdamwFactors& by = u.by;
    constexpr int kCount = kPack<float>;
    for (std::int64_t i = first_of_thread() * kCount; i < u.count; i += all_threads() * kCount) {
        float p[kCount], m[kCount], v[kCount], g[kCount];
        load_pack(p, u.master + i, kCount);
        load_pack(m, u.mean + i, kCount);
        load_pack(v, u.square + i, kCount);
        load_pack(g, u.gradient + i, kCount);
        float kept = u.decays[i / kLine] ? by.kept : 1;
        for (int k = 0; k < kCount; k++) {
            float slope = g[k] * by.factor;
            m[k] = m[k] * by.beta1 + slope * (1 - by.beta1);
            v[k] = v[k] * by.beta2 + slope * slope * (1 - by.beta2);
            p[k] = p[k] * kept - m[k] * by.rate / (sqrtf(v[k]) * by.unbiased + by.eps);
        }
        store_pack(u.mean + i, m, kCount);
        store_pack(u.square + i, v, kCount);
        store_pack(u.master + i, p, kCount);
        if (u.rounded)
            for (int k = 0; k < kCount; k++) {
                Half half;
                narrow(p[k], half);
                u.rounded[i + k] = half.bits;
            }
    }
}

/// A block leaves one sum, and there are always as many blocks: the same sum each time.
static __global__ void square_sums_kernel(const float* x,
                                          const std::uint8_t* counted,
                                          std::int64_t count,
                                          double* out) {
    __shared__ double sums[kFlatThreads];
    constexpr int kCount = kPack<float>;
    double sum = 0;
    for (std::int64_t i = first_of_thread() * kCount; i < count; i += all_threads() * kCount) {
        float numbers[kCount];
        load_pack(numbers, x + i, kCount);
        if (counted[i / kLine])
            for (float number : numbers)
                sum += double{number} * double{number};
    }
    sums[threadIdx.x] = sum;
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0)
        out[blockIdx.x] = sums[0];
}

/// Both gates are x·sigmoid(u), u = rise of x.
struct GateAt {
    float sigmoid, rise;

    __device__ GateAt(float x, bool silu) {
        constexpr float kSlope = 1.5957691216057308F, kCube = 0.044715F;  // 2·sqrt(2/π)
        float u = silu ? x : kSlope * (x + kCube * x * x * x);
        rise = silu ? 1 : kSlope * (1 + 3 * kCube * x * x);
        sigmoid = 1 / (1 + exp_of(-u));
    }
};

template <class Element>
__global__ void gated_kernel(GatedRange r) {
    constexpr int kCount = kPack<Element>;
    for (std::int64_t i = first_of_thread() * kCount; i < r.count; i += all_threads() * kCount) {
        float a[kCount], b[kCount];
        load_pack(a, static_cast<const Element*>(r.a) + i, r.count - i);
        load_pack(b, static_cast<const Element*>(r.b) + i, r.count - i);
        for (int k = 0; k < kCount; k++)
            b[k] *= rounded<Element>(a[k] * GateAt(a[k], r.silu).sigmoid);
        store_pack(static_cast<Element*>(r.out) + i, b, r.count - i);
    }
}

/// The gate is x·s with s = sigmoid(u), so its slope is s + x·s·(1 - s)·u'.
template <class Element>
__global__ void gated_backward_kernel(GatedRange r) {
    constexpr int kCount = kPack<Element>;
    for (std::int64_t i = first_of_thread() * kCount; i < r.count; i += all_threads() * kCount) {
        float a[kCount], b[kCount], dy[kCount];
        load_pack(a, static_cast<const Element*>(r.a) + i, r.count - i);
        load_pack(b, static_cast<const Element*>(r.b) + i, r.count - i);
        load_pack(dy, static_cast<const Element*>(r.dy) + i, r.count - i);
        for (int k = 0; k < kCount; k++) {
            GateAt gate(a[k], r.silu);
            float rest = a[k] * gate.sigmoid * (1 - gate.sigmoid) * gate.rise;
            b[k] *= dy[k] * (gate.sigmoid + rest);
            dy[k] *= a[k] * gate.sigmoid;
        }
        store_pack(static_cast<Element*>(r.da) + i, b, r.count - i);
        store_pack(static_cast<Element*>(r.db) + i, dy, r.count - i);
    }
}

/// Each product and the sum are rounded to the element type.
template <class Element>
__global__ void rotate_kernel(TurnedHeads r) {
    const auto *x = static_cast<const Element*>(r.x), *cos = static_cast<const Element*>(r.cos),
               *sin = static_cast<const Element*>(r.sin);
    auto* out = static_cast<Element*>(r.out);
    std::int64_t places = r.dim - r.half;  // of a head: its pairs, then what does not turn
    std::int64_t count = r.tokens * r.heads * places;
    for (std::int64_t i = first_of_thread(); i < count; i += all_threads()) {
        std::int64_t head = i / places, place = i % places;
        std::int64_t at = head * r.dim + place;
        if (place >= r.half) {
            out[at + r.half] = x[at + r.half];
            continue;
        }
        std::int64_t angle = head / r.heads * r.half + place;
        float first = wide(x[at]), second = wide(x[at + r.half]);
        float c = wide(cos[angle]), s = wide(sin[angle]);
        narrow(rounded<Element>(first * c) - rounded<Element>(second * s), out[at]);
        narrow(rounded<Element>(second * c) + rounded<Element>(first * s), out[at + r.half]);
    }
}

}  // namespace stillroom::lm
