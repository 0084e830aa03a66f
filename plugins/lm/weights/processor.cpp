#include "plugins/lm/weights/processor.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace stillroom::lm {

bool has_avx2_and_f16c() {
#if defined(__x86_64__)
    static const bool has = [] {
        unsigned a = 0, b = 0, c = 0, d = 0;  // clang 14 has no name for F16C
        return __builtin_cpu_supports("avx2") && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
    }();
    return has;
#else
    return false;
#endif
}

bool cpu_multiplies_bf16() {
#if defined(__x86_64__)
    constexpr unsigned kBf16Tiles = 1U << 22, kTiles = 1U << 24;  // leaf 7, edx
    constexpr unsigned kSavesState = 1U << 27;                    // leaf 1, ecx
    constexpr unsigned kTileState = 3U << 17;                     // of what the system saves
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kSavesState) == 0)
        return false;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 ||
        (d & (kBf16Tiles | kTiles)) != (kBf16Tiles | kTiles))
        return false;
    unsigned low = 0, high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & kTileState) == kTileState;
#else
    return false;
#endif
}

}  // namespace stillroom::lm
