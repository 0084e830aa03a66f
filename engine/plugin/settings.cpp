#include "engine/plugin/settings.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

/// What the JSON value itself complains of becomes a complaint about the setting.
template <class Read>
auto read_or_refuse(const SettingReader& in, std::string_view wanted, Read read) {
    try {
        return read(in.value());
    } catch (const Error&) {
        in.wrong(wanted);
    }
}

}  // namespace

std::string setting_below(std::string_view key, std::string_view name) {
    return key.empty() ? std::string(name) : fmt::format("{}.{}", key, name);
}

std::string setting_item(std::string_view key, std::size_t index) {
    return fmt::format("{}[{}]", key, index);
}

SettingReader SettingReader::item(std::size_t index) const {
    return SettingReader(value_.list().at(index), setting_item(key_, index));
}

SettingReader SettingReader::member(const Json::Member& member) const {
    return SettingReader(member.value, setting_below(key_, member.key));
}

void SettingReader::wrong(std::string_view wanted) const {
    std::string shown = shorten(escape_controls(value_.text()), 60);
    throw Error({},
                key_.empty() ? fmt::format("the settings should be {}, not {}", wanted, shown)
                             : fmt::format("'{}' should be {}, not {}", key_, wanted, shown))
        .key(key_)
        .hint("the plugin was built from another version of the stage's schema: build it again")
        .exit_code(kExitPolicy);
}

std::size_t SettingReader::word(std::initializer_list<std::string_view> words) const {
    auto found =
        value_.is_string() ? std::find(words.begin(), words.end(), value_.string()) : words.end();
    if (found == words.end())
        wrong(join(std::vector<std::string>(words.begin(), words.end()), "or"));
    return static_cast<std::size_t>(found - words.begin());
}

void SettingReader::has_only(std::initializer_list<std::string_view> names) const {
    if (!value_.is_map())
        wrong("a map");
    for (const Json::Member& at : value_.map())
        if (std::find(names.begin(), names.end(), at.key) == names.end())
            member(at).wrong("absent");
}

void SettingReader::need_member(std::string_view name) const {
    if (!value_.find(name))
        SettingReader(Json(), setting_below(key_, name)).wrong("there");
}

void read_setting(const SettingReader& in, bool& out) {
    out = read_or_refuse(in, "true or false", [](const Json& json) { return json.boolean(); });
}
void read_setting(const SettingReader& in, std::int64_t& out) {
    out = read_or_refuse(in, "a whole number", [](const Json& json) { return json.integer(); });
}
void read_setting(const SettingReader& in, double& out) {
    out = read_or_refuse(in, "a number", [](const Json& json) { return json.number(); });
}
void read_setting(const SettingReader& in, std::string& out) {
    out = read_or_refuse(in, "text", [](const Json& json) { return json.string(); });
}
void read_setting(const SettingReader& in, std::filesystem::path& out) {
    out = read_or_refuse(in, "a path", [](const Json& json) { return json.string(); });
}

}  // namespace stillroom
