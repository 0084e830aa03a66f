#pragma once

#include "plugins/lm/weights/tensor_folder.h"

#include <span>

namespace stillroom::checkpoint {

/// A tensor's bytes where they lie in the file, aligned or not: no copy is ever made.
inline std::span<const std::byte> raw_bytes(const lm::FolderTensor& tensor) {
    return tensor.file->file().bytes().subspan(tensor.info->offset, tensor.info->bytes);
}

/// The bytes [first, first + count) of a tensor are not needed now.
inline void forget(const lm::FolderTensor& tensor, std::uint64_t first, std::uint64_t count) {
    tensor.file->file().forget(tensor.info->offset + first, count);
}

}  // namespace stillroom::checkpoint
