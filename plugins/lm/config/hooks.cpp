#include "plugins/lm/config/hooks.h"

#include "engine/base/error.h"

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

std::vector<std::string> hooks_in(const ConfigText& text) {
    std::vector<std::string> out;
    for (const ConfigPath& path : find_hooks(text.root()))
        out.push_back(fmt::format("{}", fmt::join(path, ".")));
    return out;
}

void drop_hooks(ConfigText& text) {
    std::vector<ConfigPath> paths = find_hooks(text.root());
    if (paths.size() > kMostHooks)
        throw Error(
            {.file = text.name(), .line = 1, .column = 1},
            fmt::format(
                "{} keys that name code, at most {} are taken out", paths.size(), kMostHooks))
            .exit_code(kExitBadInput);
    for (const ConfigPath& path : paths)
        text.remove(path);
}

bool may_hold_hooks(const std::string& name) {
    return name.ends_with(".json") && name != "tokenizer.json" && name != "vocab.json" &&
           name != "added_tokens.json" && name != "tekken.json" && !name.ends_with(".index.json");
}

}  // namespace stillroom::lm
