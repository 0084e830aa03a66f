#include "plugins/lm/hub/model_files.h"

#include <algorithm>
#include <array>

namespace stillroom::lm {

bool is_pickle(std::string_view path) {
    constexpr std::array kEndings = {".bin",
                                     ".pt",
                                     ".pth",
                                     ".pkl",
                                     ".pickle",
                                     ".ckpt",
                                     ".msgpack",
                                     ".h5",
                                     ".joblib",
                                     ".npy",
                                     ".npz"};
    return std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) {
        return path.ends_with(ending);
    });
}

bool is_code(std::string_view path) {
    constexpr std::array kEndings = {".py", ".pyc", ".so", ".sh", ".ipynb"};
    return std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) {
        return path.ends_with(ending);
    });
}

bool is_small_model_file(std::string_view path) {
    constexpr std::array kNames = {"config.json",
                                   "generation_config.json",
                                   "tokenizer.json",
                                   "tokenizer_config.json",
                                   "special_tokens_map.json",
                                   "added_tokens.json",
                                   "vocab.json",
                                   "merges.txt",
                                   "tokenizer.model",
                                   "tekken.json",
                                   "chat_template.jinja",
                                   "chat_template.json",
                                   "hf_quant_config.json",
                                   "README.md",
                                   "model.safetensors.index.json"};
    constexpr std::array kBeginnings = {"LICENSE", "NOTICE", "USE_POLICY"};
    if (path.starts_with("additional_chat_templates/"))
        return path.ends_with(".jinja");
    if (path.find('/') != path.npos || is_pickle(path) || is_code(path))
        return false;
    return std::find(kNames.begin(), kNames.end(), path) != kNames.end() ||
           std::any_of(kBeginnings.begin(), kBeginnings.end(), [&](std::string_view beginning) {
               return path.starts_with(beginning);
           });
}

}  // namespace stillroom::lm
