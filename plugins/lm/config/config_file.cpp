#include "plugins/lm/config/config_file.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "plugins/lm/config/express.h"
#include "plugins/lm/config/read_config.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr std::size_t kMostHooks = 1000;  // each that goes is a new reading of the text
constexpr std::string_view kHooks[] = {"auto_map",
                                       "_attn_implementation_internal",
                                       "_experts_implementation_internal",
                                       "trust_remote_code"};

bool is_hook(std::string_view key) {
    return key.starts_with("custom_") ||
           std::find(std::begin(kHooks), std::end(kHooks), key) != std::end(kHooks);
}

void find_hooks(const ConfigValue& value, ConfigPath& at, std::vector<ConfigPath>& out) {
    for (const ConfigValue::Member& member : value.members) {
        at.push_back(member.key);
        if (is_hook(member.key))
            out.push_back(at);
        else
            find_hooks(member.value, at, out);
        at.pop_back();
    }
}

std::vector<ConfigPath> find_hooks(const ConfigValue& root) {
    std::vector<ConfigPath> out;
    ConfigPath at;
    find_hooks(root, at, out);
    return out;
}

}  // namespace

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
    return {std::move(parsed), std::move(model)};
}

std::vector<std::string> ConfigFile::hooks() const {
    std::vector<std::string> out;
    for (const ConfigPath& path : find_hooks(text_.root()))
        out.push_back(fmt::format("{}", fmt::join(path, ".")));
    return out;
}

void ConfigFile::drop_hooks() {
    std::vector<ConfigPath> paths = find_hooks(text_.root());
    if (paths.size() > kMostHooks)
        throw Error(
            {.file = text_.name(), .line = 1, .column = 1},
            fmt::format(
                "{} keys that name code, at most {} are taken out", paths.size(), kMostHooks))
            .exit_code(kExitBadInput);
    for (const ConfigPath& path : paths)
        text_.remove(path);
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
