#include "plugins/lm/weights/quantized.h"

#include "plugins/lm/weights/quantized_parts.h"

namespace stillroom::lm {

#if defined(__x86_64__)
bool has_fast_dequantize() {
    static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
    return has;
}
#else
bool has_fast_dequantize() {
    return false;
}
#endif

NumberCounts dequantize(const BlockType& type,
                        std::span<const std::byte> from,
                        Dtype dtype,
                        std::span<std::byte> to) {
    if (type.values == 1)
        return convert(number_type(type), from, dtype, to);
#if defined(__x86_64__)
    if (has_fast_dequantize())
        return dequantize_avx2(type, from, dtype, to);
#endif
    return dequantize_plain(type, from, dtype, to);
}

}  // namespace stillroom::lm
