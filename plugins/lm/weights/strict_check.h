#pragma once

#include "plugins/lm/config/config_file.h"
#include "plugins/lm/weights/tensor_folder.h"
#include "plugins/lm/weights/weight_table.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace stillroom::lm {

/// A tensor and the file that it was found in.
struct FoundTensor {
    std::filesystem::path file;
    std::string name;
    Dtype dtype = Dtype::f32;
    Shape shape;
};

struct StrictReport {
    std::vector<std::string> ignored;  ///< on the allow list: no part of the decoder
    bool has_tied_head = false;  ///< an lm_head.weight in a tied model: only its bytes can tell
                                 ///< that it is the embedding (check_tied_head)
};

/// Every weight of the table is there once, with its shape and a float of 16 or 32 bits; nothing
/// else is there but what models carry besides (multi-token prediction, RoPE's buffers, the other
/// towers of a multimodal folder). Throws Error (exit 3) for the first that disagrees, naming file,
/// tensor, what was found and expected, and the key of config.json that expects it. `config` is
/// that file's path, for messages.
STILLROOM_API StrictReport strict_check(const ModelConfig& model,
                                        const WeightTable& table,
                                        std::span<const FoundTensor> found,
                                        const std::filesystem::path& config);
STILLROOM_API StrictReport strict_check(const ModelConfig& model,
                                        const WeightTable& table,
                                        const TensorFolder& folder);

/// And both are of a multimodal folder or neither is: nothing is left out that config.json does
/// not know of.
STILLROOM_API StrictReport strict_check(const ConfigFile& config,
                                        const WeightTable& table,
                                        const TensorFolder& folder);

/// Throws Error (exit 3) unless the tied model's lm_head.weight is its embedding, byte for byte.
STILLROOM_API void check_tied_head(const TensorFolder& folder);

}  // namespace stillroom::lm
