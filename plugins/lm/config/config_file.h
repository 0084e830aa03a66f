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
    std::vector<std::string> hooks() const;
    void drop_hooks();

    /// Makes the text say `model`, in the spelling that it has. `kept` are the layers of this file
    /// that the model's are, in order; empty: all. Throws Error (exit 2) for what the family's
    /// config.json cannot say, naming it; the text stays as it was.
    void express(const ModelConfig& model, std::span<const std::int64_t> kept = {});

    /// Puts one value at the top, as JSON: token ids, a name.
    void set(std::string_view key, std::string_view json);

private:
    ConfigFile(ConfigText text, ModelConfig model)
        : text_(std::move(text)),
          model_(std::move(model)) {}

    ConfigText text_;
    ModelConfig model_;
};

}  // namespace stillroom::lm
