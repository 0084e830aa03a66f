#pragma once

#include "plugins/lm/weights/tensor_folder.h"

#include <cstdint>

namespace stillroom::checkpoint {

/// Of the finite numbers of a tensor; sums are in fp64 and do not depend on the threads.
struct TensorStats {
    double least = 0, most = 0, mean = 0, rms = 0;
    std::uint64_t zeros = 0, nan = 0, infinite = 0, finite = 0;
};

/// Reads the tensor once, piece by piece, with up to `threads` threads. A type that holds no
/// numbers we know has no finite ones.
TensorStats stats_of(const lm::FolderTensor& tensor, unsigned threads);

}  // namespace stillroom::checkpoint
