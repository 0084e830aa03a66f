#pragma once

#include "plugins/lm/modules/decoder.h"
#include "plugins/lm/weights/tensor_folder.h"

#include <filesystem>
#include <memory>

namespace stillroom::lm {

/// A decoder and the files that its weights lie in.
struct Loaded {
    Decoder decoder;
    /// Weights that need no change are read where they are mapped: should another program cut a
    /// file, they become zeros. So ask files->check() before believing what was computed.
    std::shared_ptr<const TensorFolder> files;
};

/// What becomes of bf16 matrices that the CPU computes with in fp32. `kept`: each product widens
/// them as it reads, which is right for a few tokens at a time. The numbers are the same.
enum class Narrow : std::uint8_t { widened, kept };

/// Opens a Hugging Face model folder. On the CPU a tensor of the wanted type is its bytes in the
/// mapped file, never copied; any other is converted straight into its final memory, one at a time.
/// Weights must not be written. Throws Error (exit 3) for what the folder lacks or misshapes.
STILLROOM_API Loaded load_decoder(const std::filesystem::path& folder,
                                  at::Device device,
                                  at::ScalarType type,
                                  Narrow narrow = Narrow::widened);

/// The tensors of a folder, on a device and of a type; keeps it open.
STILLROOM_API TensorSource tensor_source(std::shared_ptr<const TensorFolder> files,
                                         at::Device device,
                                         at::ScalarType type,
                                         Narrow narrow = Narrow::widened);

}  // namespace stillroom::lm
