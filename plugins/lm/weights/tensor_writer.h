#pragma once

#include "engine/base/digest.h"
#include "plugins/lm/weights/tensor_folder.h"
#include "plugins/lm/weights/tensor_layout.h"

#include <functional>

namespace stillroom {
class RunContext;
}

namespace stillroom::lm {

/// Takes the next bytes of a tensor; `bytes` are not needed afterwards.
using WriteBytes = std::function<void(std::span<const std::byte> bytes)>;

/// A tensor to be written. Its bytes are those of another file, or made when their turn comes: one
/// tensor at a time, in the order of the file, so that memory never holds two.
struct NewTensor {
    TensorInfo info;    ///< name, dtype and shape; the rest is worked out
    FolderTensor from;  ///< as they lie there; or
    std::function<void(const WriteBytes& write)> make;  ///< in one piece or several
};

/// As it is, under its name.
STILLROOM_API NewTensor unchanged(const FolderTensor& tensor);

/// Of bytes in memory, which must stay there until it is written.
STILLROOM_API NewTensor in_memory(TensorInfo info, std::span<const std::byte> bytes);

struct SaveOptions {
    std::uint64_t max_shard_size = kShardSize;
    /// False: the disk begins to write, and nobody waits for it. The caller reads back meanwhile,
    /// and syncs files and folder before it believes in them. Not for outputs of a stage.
    bool sync = true;
    /// Called after each tensor, with bytes; what it throws ends the work.
    std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};

/// Writes the weights of a model folder: shards, then the index. Each file appears whole or not at
/// all; the shards and the index of an older save go last. If the power fails between, the folder
/// is refused by TensorFolder, never a mixture. Throws Error: exit 4 for the disk, 2 if a tensor
/// comes from the same folder. The digests are for a manifest.
STILLROOM_API std::vector<FileRecord> save_model(const std::filesystem::path& folder,
                                                 const std::vector<NewTensor>& tensors,
                                                 const SaveOptions& options);

/// The same in an output of a stage, which is a new folder and is published as a whole. The context
/// is told the digests.
STILLROOM_API void save_model(RunContext& context,
                              const std::filesystem::path& folder,
                              const std::vector<NewTensor>& tensors,
                              const SaveOptions& options);

/// One file of tensors, in an output of a stage: scores, an adapter, a state of training.
STILLROOM_API void save_tensors(RunContext& context,
                                const std::filesystem::path& file,
                                const std::vector<NewTensor>& tensors,
                                const TensorMetadata& metadata);

/// One file of tensors anywhere else, new; on the disk when this returns. `told` is what messages
/// call it.
STILLROOM_API FileRecord save_tensors(const std::filesystem::path& file,
                                      const std::filesystem::path& told,
                                      const std::vector<NewTensor>& tensors,
                                      const TensorMetadata& metadata);

/// The files of a folder byte for byte, where no tensor changed.
STILLROOM_API std::vector<FileRecord> copy_model(const TensorFolder& from,
                                                 const std::filesystem::path& folder,
                                                 const SaveOptions& options);
STILLROOM_API void copy_model(const TensorFolder& from,
                              RunContext& context,
                              const std::filesystem::path& folder,
                              const SaveOptions& options);

}  // namespace stillroom::lm
