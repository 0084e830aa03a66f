#pragma once

#include "plugins/lm/weights/safetensors.h"

#include <optional>

namespace stillroom::lm {

inline constexpr std::string_view kWholeModel = "model.safetensors";
inline constexpr std::string_view kModelIndex = "model.safetensors.index.json";

/// A tensor and the file it lies in; both belong to the folder.
struct FolderTensor {
    const TensorFile* file = nullptr;
    const TensorInfo* info = nullptr;

    std::span<const std::byte> bytes() const { return file->bytes(*info); }
    void forget() const { file->forget(*info); }
};

/// The weights of a model folder: one file, or shards with an index. Opening it reads headers only
/// and checks all of them: each tensor lies in the shard that the index names and in no other, no
/// shard is missing, the sizes agree. Of a multimodal folder the decoder's tensors are here, by the
/// names that they have in a folder of their own.
class STILLROOM_API TensorFolder {
public:
    /// Throws Error: exit 3 for what is missing or contradicts itself, 10 for a shard's name that
    /// leads out of the folder and for a folder that has its weights as pickle alone.
    static TensorFolder open(const std::filesystem::path& folder);

    const std::filesystem::path& path() const { return path_; }
    const std::vector<TensorFile>& files() const { return files_; }  ///< sorted by name

    /// Of the other towers (vision) of a multimodal folder, by the names in its files.
    const std::vector<std::string>& left_out() const { return left_out_; }
    bool is_multimodal() const { return !left_out_.empty() || !renamed_.empty(); }
    bool has_index() const { return has_index_; }

    /// File by file, in the order of their bytes.
    const std::vector<FolderTensor>& tensors() const { return tensors_; }
    std::optional<FolderTensor> find(std::string_view name) const;
    FolderTensor at(std::string_view name) const;  ///< throws Error (exit 3)

    std::uint64_t tensor_bytes() const { return tensor_bytes_; }  ///< of all, without headers

    /// Throws Error (exit 3) if a file was cut since it was opened.
    void check() const;

private:
    TensorFolder() = default;
    void open_shards();
    void index_tensors();

    std::filesystem::path path_;
    std::vector<TensorFile> files_;
    std::vector<FolderTensor> tensors_;
    std::vector<TensorInfo> renamed_;  // what tensors_ point at where names are not the files'
    std::vector<std::string> left_out_;
    std::vector<std::size_t> by_name_;  // indices of tensors_
    std::uint64_t tensor_bytes_ = 0;
    bool has_index_ = false;
};

}  // namespace stillroom::lm
