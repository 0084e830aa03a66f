#include "plugins/lm/config/config_file.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "plugins/lm/config/express.h"
#include "plugins/lm/config/hooks.h"
#include "plugins/lm/config/read_config.h"
#include "plugins/lm/config/text_tower.h"

namespace stillroom::lm {

ConfigFile ConfigFile::read(const std::filesystem::path& path) {
    try {
        return parse(read_file(path, ConfigText::kLimit), path.string());
    } catch (Error& error) {
        error.exit_code(kExitBadInput);
        throw;
    }
}

ConfigFile ConfigFile::parse(std::string text, std::string name) {
    ConfigText parsed = ConfigText::parse(std::move(text), std::move(name));
    ModelConfig model = read_model(parsed);
    std::vector<std::string> hooks = hooks_in(parsed);
    std::optional<ConfigText> tower = text_tower(parsed, model);
    bool is_tower = tower.has_value();
    return {tower ? std::move(*tower) : std::move(parsed),
            std::move(model),
            std::move(hooks),
            is_tower};
}

void ConfigFile::drop_hooks() {
    lm::drop_hooks(text_);
    hooks_.clear();
}

void ConfigFile::express(const ModelConfig& model, std::span<const std::int64_t> kept) {
    ConfigText text = expressed(text_, model_, model, kept);
    model_ = read_model(text);
    text_ = std::move(text);
}

void ConfigFile::set(std::string_view key, std::string_view json) {
    ConfigText text = text_;
    text.set(ConfigPath{std::string(key)}, json);
    model_ = read_model(text);
    text_ = std::move(text);
}

}  // namespace stillroom::lm
