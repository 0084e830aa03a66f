#pragma once

#include "plugins/lm/kernels/device_kernels.h"
#include "plugins/lm/kernels/elements_cuda.h"

// The head between its products: a block of threads has a row of the chunk, goes over it 16 bytes a
// thread at a time, and reads nothing twice. Included by CUDA code, and by tests that play a
// device.

namespace stillroom::lm {

constexpr int kRowThreads = 256;

/// A logit as the loss sees it: capped, over the temperature.
struct Shaping {
    float cap, temperature;
    float share = 1 / temperature;

    __device__ float operator()(float x) const {
        return (cap > 0 ? cap * tanhf(x / cap) : x) * share;
    }
    /// What a slope there is worth before it; the temperature is in the slopes already.
    __device__ float worth(float shaped) const {
        float tanh = cap > 0 ? shaped * temperature / cap : 0;
        return 1 - tanh * tanh;
    }
};

/// What a thread has seen of a row.
template <Divergence Kind, int Count>
struct RowPart {
    float t_most = -INFINITY, t_sum = 0, s_most = -INFINITY, s_sum = 0, cross = 0, ce_sum = 0;
    std::int64_t t_first = -1, s_first = -1;

    __device__ void raise(const float* t, const float* s, int count, std::int64_t word, float tau) {
        float largest = s_most;
        for (int i = 0; i < Count; i++)
            if (i < count && s[i] > largest) {
                largest = s[i];
                s_first = word + i;
            }
        if (largest > s_most) {
            float shrink = exp_of(s_most - largest);
            s_sum *= shrink;
            ce_sum *= tau == 1 ? shrink : exp_of(tau * (s_most - largest));
            if (Kind == Divergence::reverse)
                cross *= shrink;
            s_most = largest;
        }
        if (Kind == Divergence::student)
            return;
        largest = t_most;
        for (int i = 0; i < Count; i++)
            if (i < count && t[i] > largest) {
                largest = t[i];
                t_first = word + i;
            }
        if (largest > t_most) {
            float shrink = exp_of(t_most - largest);
            t_sum *= shrink;
            if (Kind == Divergence::forward)
                cross *= shrink;
            t_most = largest;
        }
    }

    __device__ void add(const float* t, const float* s, int count, std::int64_t word, float tau) {
        raise(t, s, count, word, tau);
        for (int i = 0; i < Count; i++) {
            if (i >= count)
                continue;
            float power = exp_of(s[i] - s_most);
            s_sum += power;
            ce_sum += tau == 1 ? power : exp_of(tau * (s[i] - s_most));
            if (Kind == Divergence::student) {
                cross += s[i] * 0.0F;  // NaN where a logit is none
                continue;
            }
            if (Kind == Divergence::reverse)
                cross += power * (s[i] - t[i]);
            power = exp_of(t[i] - t_most);
            t_sum += power;
            if (Kind == Divergence::forward)
                cross += power * (t[i] - s[i]);
            if (Kind == Divergence::jsd)
                cross += (t[i] - s[i]) * 0.0F;
        }
    }

    __device__ RowSums sums() const {
        RowSums out;
        out.t_most = t_most, out.t_sum = t_sum, out.s_most = s_most, out.s_sum = s_sum;
        out.cross = cross, out.ce_sum = ce_sum, out.t_first = t_first, out.s_first = s_first;
        return out;
    }
};

/// Calls `work(t, s, count, word)` for each of this thread's parts of a row.
template <class Element, bool Both, class Work>
__device__ void for_row(const LogitRows& in, std::int64_t row, const Work& work) {
    constexpr int kCount = kPack<Element>;
    const Element* t_row = static_cast<const Element*>(in.t) + (Both ? row * in.stride : 0);
    const Element* s_row = static_cast<const Element*>(in.s) + row * in.stride;
    Shaping t_shape{in.t_cap, in.temperature}, s_shape{in.s_cap, in.temperature};
    std::int64_t step = static_cast<std::int64_t>(blockDim.x) * kCount;
    for (std::int64_t word = threadIdx.x * kCount; word < in.words; word += step) {
        int count = static_cast<int>(in.words - word < kCount ? in.words - word : kCount);
        float t[kCount], s[kCount];
        load_pack(s, s_row + word, count);
        if (Both)
            load_pack(t, t_row + word, count);
        for (int i = 0; i < kCount; i++) {
            s[i] = s_shape(s[i]);
            t[i] = Both ? t_shape(t[i]) : 0.0F;
        }
        work(t, s, count, word);
    }
}

template <class Element, Divergence Kind>
__global__ void logit_sums_kernel(LogitRows in, const std::int64_t* label, RowSums* out) {
    __shared__ double room[kRowThreads * sizeof(RowSums) / sizeof(double)];
    auto* parts = reinterpret_cast<RowSums*>(room);
    std::int64_t row = blockIdx.x;
    RowPart<Kind, kPack<Element>> part;
    for_row<Element, Kind != Divergence::student>(
        in, row, [&](const float* t, const float* s, int count, std::int64_t word) {
            part.add(t, s, count, word, in.temperature);
        });
    parts[threadIdx.x] = part.sums();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            parts[threadIdx.x].merge(parts[threadIdx.x + half], Kind, in.temperature);
    }
    if (threadIdx.x != 0)
        return;
    RowSums sums = parts[0];
    const Element* s_row = static_cast<const Element*>(in.s) + row * in.stride;
    if (label[row] >= 0)
        sums.label = Shaping{in.s_cap, in.temperature}(wide(s_row[label[row]]));
    out[row] = sums;
}

/// ln(q/m) of the difference ln p - ln q; the larger of p and q is taken out, so that no power
/// overflows.
__device__ inline float log_share(float x, float beta) {
    float mixed = (exp_of(-fabsf(x)) - 1) * (x < 0 ? beta : 1 - beta) + 1;
    return x < 0 ? -logf(mixed) : -logf(mixed) - x;
}

template <class Element>
__global__ void logit_mixture_kernel(LogitRows in, RowSlopes slopes, double* out) {
    __shared__ double sums[2 * kRowThreads];
    std::int64_t row = blockIdx.x;
    float t_log = slopes.t_log[row], s_log = slopes.s_log[row];
    double t_sum = 0, s_sum = 0;
    for_row<Element, true>(in, row, [&](const float* t, const float* s, int count, std::int64_t) {
        for (int i = 0; i < kPack<Element>; i++) {
            if (i >= count)
                continue;
            float log_p = t[i] - t_log, log_q = s[i] - s_log, more = log_p - log_q;
            float share = log_share(more, in.beta);
            t_sum += exp_of(log_p) * (share + more);
            s_sum += exp_of(log_q) * share;
        }
    });
    sums[2 * threadIdx.x] = t_sum;
    sums[2 * threadIdx.x + 1] = s_sum;
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            for (int i = 0; i < 2; i++)
                sums[2 * threadIdx.x + i] += sums[2 * (threadIdx.x + half) + i];
    }
    if (threadIdx.x < 2)
        out[2 * row + threadIdx.x] = sums[threadIdx.x];
}

template <class Element, Divergence Kind>
__global__ void logit_slopes_kernel(LogitRows in, RowSlopes slopes) {
    std::int64_t row = blockIdx.x;
    Element* d_row = static_cast<Element*>(in.s) + row * in.stride;
    Shaping shape{in.s_cap, in.temperature};
    float t_log = slopes.t_log[row], s_log = slopes.s_log[row], teacher = slopes.teacher[row],
          student = slopes.student[row], ratio = slopes.ratio[row], s_most = slopes.s_most[row],
          plain = slopes.plain[row], label_slope = slopes.label_slope[row];
    std::int64_t label = slopes.label[row];
    std::int64_t given = slopes.begins ? slopes.begins[row] : 0,
                 given_end = slopes.begins ? slopes.begins[row + 1] : 0;
    for (std::int64_t i = given + threadIdx.x; i < given_end; i += blockDim.x)
        slopes.values[i] *= shape.worth(shape(wide(d_row[slopes.words[i]])));
    __syncthreads();  // their logits are overwritten now
    bool dead = teacher == 0 && student == 0 && ratio == 0 && plain == 0;
    constexpr bool kBoth = Kind != Divergence::student;
    for_row<Element, kBoth>(
        in, row, [&](const float* t, const float* s, int count, std::int64_t word) {
            float d[kPack<Element>];
            for (int i = 0; i < kPack<Element>; i++) {
                float q = exp_of(s[i] - s_log);
                if (Kind == Divergence::student)
                    d[i] = q * student;
                else if (Kind == Divergence::forward)
                    d[i] = (q - exp_of(t[i] - t_log)) * teacher + q * student;  // 0 where p is q
                else if (Kind == Divergence::reverse)
                    d[i] = q * (student + ratio * (s[i] - t[i]));
                else
                    d[i] =
                        q * (student + ratio * log_share(t[i] - t_log - (s[i] - s_log), in.beta));
                if (in.temperature != 1)
                    d[i] += exp_of((s[i] - s_most) * in.temperature) * plain;
                if (word + i == label)
                    d[i] += label_slope;
                d[i] = dead ? 0 : d[i] * shape.worth(s[i]);
            }
            store_pack(d_row + word, d, count);
        });
    __syncthreads();
    for (std::int64_t i = given + threadIdx.x; i < given_end; i += blockDim.x)
        narrow(slopes.values[i], d_row[slopes.words[i]]);
}

}  // namespace stillroom::lm
