#include "plugins/lm/kernels/accumulate.h"

namespace stillroom::lm {

void accumulate_plain(float* main, const float* gradient, float scale, std::size_t count) {
    for (std::size_t i = 0; i < count; i++)
        main[i] += scale * gradient[i];
}

}  // namespace stillroom::lm
