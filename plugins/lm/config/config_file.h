#pragma once

#include "plugins/lm/config/config_text.h"
#include "plugins/lm/config/model_config.h"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// A config.json: what it says, and its text, which an edit leaves as it is but for what changes.
/// Of a multimodal folder it is the config.json of the decoder alone, which is all that is read.
class STILLROOM_API ConfigFile {
public:
    /// Throws Error (exit 3): no such file, no JSON, an architecture, activation, RoPE or
    /// quantization that is not supported, a key that is missing or out of bounds.
    static ConfigFile read(const std::filesystem::path& path);
    static ConfigFile parse(std::string text, std::string name);

    const ModelConfig& model() const { return model_; }
    const std::string& text() const { return text_.text(); }
    const ConfigValue& root() const { return text_.root(); }

    /// Keys that name code to be run or ways to run it, at any depth: "text_config.auto_map". They
    /// were not obeyed; a folder that is passed on goes without them.
    const std::vector<std::string>& hooks() const { return hooks_; }
    void drop_hooks();

    /// The file is of a multimodal folder, whose other towers (vision) are left out.
    bool is_text_tower() const { return is_text_tower_; }

    /// Makes the text say `model`, in the spelling that it has. `kept` are the layers of this file
    /// that the model's are, in order; empty: all. Throws Error (exit 2) for what the family's
    /// config.json cannot say, naming it; the text stays as it was.
    void express(const ModelConfig& model, std::span<const std::int64_t> kept = {});

    /// Puts one value at the top, as JSON: token ids, a name.
    void set(std::string_view key, std::string_view json);

private:
    ConfigFile(ConfigText text, ModelConfig model, std::vector<std::string> hooks, bool is_tower)
        : text_(std::move(text)),
          model_(std::move(model)),
          hooks_(std::move(hooks)),
          is_text_tower_(is_tower) {}

    ConfigText text_;
    ModelConfig model_;
    std::vector<std::string> hooks_;
    bool is_text_tower_ = false;
};

}  // namespace stillroom::lm
