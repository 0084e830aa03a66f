#pragma once

#include <cstdint>
#include <cstring>

// fp32 and bf16 elements on a device, 16 bytes at a time.

namespace stillroom::lm {

/// A bf16 number as memory has it: the upper half of a float.
struct Half {
    std::uint16_t bits;
};

__device__ inline float wide(float x) {
    return x;
}

__device__ inline float wide(Half x) {
    std::uint32_t bits = static_cast<std::uint32_t>(x.bits) << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

__device__ inline void narrow(float x, float& out) {
    out = x;
}

/// To nearest, ties to even; NaN stays one.
__device__ inline void narrow(float x, Half& out) {
    std::uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    out.bits = x == x ? static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)
                      : static_cast<std::uint16_t>(0x7fc0);
}

/// As the element type holds it.
template <class Element>
__device__ float rounded(float x) {
    Element out;
    narrow(x, out);
    return wide(out);
}

/// e^x to 1e-6 of itself for an x that matters beside 1.
__device__ inline float exp_of(float x) {
#ifdef __CUDA_ARCH__
    return __expf(x);
#else
    return expf(x);
#endif
}

template <class Element>
constexpr int kPack = static_cast<int>(16 / sizeof(Element));

template <class Element>
struct alignas(16) Pack {
    Element lanes[kPack<Element>];
};

// The first `count` of a pack. Loops have a fixed length, so that numbers stay in registers.

template <class Element>
__device__ void load_pack(float* to, const Element* from, std::int64_t count) {
    Pack<Element> pack = {};
    if (count >= kPack<Element>)
        pack = *reinterpret_cast<const Pack<Element>*>(from);
    else
        for (int i = 0; i < kPack<Element>; i++)
            if (i < count)
                pack.lanes[i] = from[i];
    for (int i = 0; i < kPack<Element>; i++)
        to[i] = wide(pack.lanes[i]);
}

template <class Element>
__device__ void store_pack(Element* to, const float* from, std::int64_t count) {
    Pack<Element> pack;
    for (int i = 0; i < kPack<Element>; i++)
        narrow(from[i], pack.lanes[i]);
    if (count >= kPack<Element>)
        *reinterpret_cast<Pack<Element>*>(to) = pack;
    else
        for (int i = 0; i < kPack<Element>; i++)
            if (i < count)
                to[i] = pack.lanes[i];
}

}  // namespace stillroom::lm
