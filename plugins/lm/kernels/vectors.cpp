#include "plugins/lm/kernels/vectors.h"

namespace stillroom::lm {

Tier best_tier() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return Tier::avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return Tier::avx2;
#endif
    return Tier::baseline;
}

}  // namespace stillroom::lm
