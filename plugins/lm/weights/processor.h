#pragma once

namespace stillroom::lm {

/// What the vector kernels of this folder are compiled for. The plain ones run everywhere.
bool has_avx2_and_f16c();

}  // namespace stillroom::lm
