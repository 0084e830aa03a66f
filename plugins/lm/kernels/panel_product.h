#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/vectors.h"

#include <cstddef>

namespace stillroom::lm {

// Matrix products of one thread for the chunked head: few rows of the batch against a block of a
// long, narrow weight. BLAS packs its operands first, which for 48 rows costs as much as it saves:
// it ran at 60 % of its own best speed, this at 90 %. Nothing is packed here: one operand is
// broadcast from where it lies, the other is read along its rows, and what the next block needs is
// fetched from memory meanwhile.

/// c (+)= a·b with a [rows, depth], b [depth, columns], c [rows, columns], all fp32.
struct PanelProduct {
    std::size_t rows = 0, columns = 0, depth = 0;
    const float* a = nullptr;  ///< element (r, k) at a[r * a_row + k * a_depth]
    std::size_t a_row = 0, a_depth = 1;
    const float* b = nullptr;  ///< row k at b + k * b_row
    std::size_t b_row = 0;
    float* c = nullptr;
    std::size_t c_row = 0;
    bool add = false;            ///< to what c holds
    const void* next = nullptr;  ///< memory that will be wanted after this product
    std::size_t next_bytes = 0;
};

STILLROOM_API void multiply(Tier tier, const PanelProduct& product);

/// bf16 to the same numbers in fp32: a block of a weight before it is multiplied.
STILLROOM_API void widen(Tier tier, const Bf16* from, float* to, std::size_t count);

/// multiply's twin, sums in double.
STILLROOM_API void multiply_plain(const PanelProduct& product);

}  // namespace stillroom::lm
