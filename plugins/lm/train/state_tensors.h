#pragma once

#include "plugins/lm/weights/tensor_folder.h"

#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// The tensors of a found state, whole ones: each reader takes the bytes that its layout wants.
class STILLROOM_API StateTensors {
public:
    /// Reads headers only. Throws Error (exit 3).
    static StateTensors open(const std::filesystem::path& folder);

    const TensorFolder& model() const { return model_; }
    std::optional<FolderTensor> find(std::string_view name) const;  ///< of the optimizer's
    FolderTensor at(std::string_view name) const;                   ///< throws Error (exit 3)

    /// Throws Error (exit 3) naming the first tensor that is missing, differs in shape or type, or
    /// that nobody asked for. `model` and `optimizer` are all of each.
    void require(const std::vector<TensorInfo>& model,
                 const std::vector<TensorInfo>& optimizer) const;

private:
    explicit StateTensors(TensorFolder model) : model_(std::move(model)) {}

    TensorFolder model_;
    std::vector<TensorFile> optimizer_;
};

/// Bytes of a tensor from `offset` on, without mapping them. Throws Error (exit 3) if they are
/// gone.
STILLROOM_API void read_bytes(const FolderTensor& tensor,
                              std::uint64_t offset,
                              std::span<std::byte> into);

}  // namespace stillroom::lm
