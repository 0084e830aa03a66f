#include "plugins/lm/weights/quantized.h"

#include "plugins/lm/weights/processor.h"
#include "plugins/lm/weights/quantized_parts.h"

namespace stillroom::lm {

NumberCounts dequantize(const BlockType& type,
                        std::span<const std::byte> from,
                        Dtype dtype,
                        std::span<std::byte> to) {
    if (type.values == 1)
        return convert(number_type(type), from, dtype, to);
#if defined(__x86_64__)
    if (has_avx2_and_f16c())
        return dequantize_avx2(type, from, dtype, to);
#endif
    return dequantize_plain(type, from, dtype, to);
}

}  // namespace stillroom::lm
