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

}  // namespace stillroom::lm
