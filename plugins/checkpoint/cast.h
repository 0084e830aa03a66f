#pragma once

#include "plugins/lm/config/config_file.h"
#include "plugins/lm/weights/convert.h"
#include "plugins/lm/weights/tensor_writer.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::checkpoint {

/// What a setting `dtype` asks for; nothing: keep.
std::optional<lm::Dtype> asked_dtype(std::string_view word);

/// As config.json spells it: "bfloat16".
std::string config_dtype(lm::Dtype dtype);

/// Numbers that no weight should be, and where the first of them was met.
struct BadNumbers {
    lm::NumberCounts counts;
    std::string first;  ///< tensor

    void add(const std::string& tensor, const lm::NumberCounts& more);
};

/// Throws Error (exit 6) at the setting that would allow them, where there are any; where they are
/// allowed, returns what to say: empty if there is nothing.
std::string judge(const BadNumbers& numbers, bool allowed, std::string_view setting);

/// True if a tensor is of another type than asked for.
bool changes(const std::vector<lm::FolderTensor>& tensors, std::optional<lm::Dtype> dtype);

/// The tensors as they are to be written: as they lie there, or cast while they are written, with
/// up to `threads` threads. `numbers` is added to then.
std::vector<lm::NewTensor> as_dtype(const std::vector<lm::FolderTensor>& tensors,
                                    std::optional<lm::Dtype> dtype,
                                    unsigned threads,
                                    BadNumbers& numbers);

/// Calls `take` with the tensor's bytes as `dtype`, piece by piece.
lm::NumberCounts read_as(const lm::FolderTensor& tensor,
                         lm::Dtype dtype,
                         unsigned threads,
                         const lm::WriteBytes& take);

}  // namespace stillroom::checkpoint
