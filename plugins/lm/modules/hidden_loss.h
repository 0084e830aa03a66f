#pragma once

#include "engine/base/api.h"
#include "plugins/lm/modules/linear.h"

#include <cstdint>

namespace stillroom::lm {

// T tokens, N rows that count, S and D hidden of student and teacher

enum class HiddenKind : std::uint8_t { cosine, mse };

/// Hidden states of a pair of layers that are to come together.
struct HiddenPair {
    HiddenKind kind = HiddenKind::cosine;
    at::Tensor student_TS;
    at::Tensor teacher_TD;
    Linear projection;  ///< [D, S] with a bias; undefined: the widths are the same
};

/// The sum over `rows_N` (int64, on their device) of 1 - cos(P·s, t), or of the mean over D of
/// (P·s - t)²: a number in fp32 that autograd can differentiate by student and projection. Throws
/// Error (exit 2) where widths do not fit.
STILLROOM_API at::Tensor hidden_loss(const HiddenPair& pair, const at::Tensor& rows_N);

}  // namespace stillroom::lm
