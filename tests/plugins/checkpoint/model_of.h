#pragma once

#include "engine/base/files.h"
#include "plugins/checkpoint/random_weights.h"
#include "plugins/lm/config/new_config.h"
#include "plugins/lm/weights/tensor_writer.h"

#include <filesystem>

namespace stillroom::checkpoint {

/// The smallest model that has everything.
inline lm::ModelConfig tiny_model(bool tied = false) {
    lm::NewModel numbers;
    numbers.hidden = 8;
    numbers.layers = 2;
    numbers.heads = 2;
    numbers.kv_heads = 1;
    numbers.ffn = 16;
    numbers.vocab = 32;
    numbers.tied = tied;
    numbers.dtype = "float32";
    return lm::new_model(numbers);
}

inline void write_model(const std::filesystem::path& folder,
                        const lm::ModelConfig& model,
                        lm::Dtype dtype = lm::Dtype::f32,
                        std::int64_t seed = 1) {
    std::filesystem::create_directories(folder);
    write_file(folder / "config.json", lm::config_json(model));
    lm::save_model(
        folder, random_tensors(model, lm::weight_table(model), {seed, 0.5, dtype, 2}), {});
}

}  // namespace stillroom::checkpoint
