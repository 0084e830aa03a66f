#include "plugins/lm/config/config_keys.h"

#include "engine/base/text.h"

#include <fmt/format.h>

#include <cmath>

namespace stillroom::lm {

using Kind = ConfigValue::Kind;

const ConfigValue* ConfigKeys::find(std::string_view key) const {
    const ConfigValue* value = map_.find(key);
    return value && !value->is_null() ? value : nullptr;
}

std::optional<std::int64_t> ConfigKeys::integer(std::string_view key,
                                                std::int64_t least,
                                                std::int64_t most) const {
    const ConfigValue* value = find(key);
    if (!value)
        return {};
    if (value->kind != Kind::integer || value->integer < least || value->integer > most)
        throw mistyped(key, *value, fmt::format("a whole number from {} to {}", least, most));
    return value->integer;
}

std::int64_t ConfigKeys::required(std::string_view key,
                                  std::int64_t least,
                                  std::int64_t most) const {
    if (std::optional<std::int64_t> value = integer(key, least, most))
        return *value;
    throw missing(key);
}

std::optional<double> ConfigKeys::number(std::string_view key, double above) const {
    const ConfigValue* value = find(key);
    if (!value)
        return {};
    bool is_number = value->kind == Kind::integer || value->kind == Kind::number;
    if (!is_number || !std::isfinite(value->number) || !(value->number > above))
        throw mistyped(key, *value, fmt::format("a finite number over {}", above));
    return value->number;
}

double ConfigKeys::number_or(std::string_view key, double above, double otherwise) const {
    return number(key, above).value_or(otherwise);
}

std::optional<bool> ConfigKeys::boolean(std::string_view key) const {
    const ConfigValue* value = find(key);
    if (!value)
        return {};
    if (value->kind != Kind::boolean)
        throw mistyped(key, *value, "true or false");
    return value->boolean;
}

std::optional<std::string> ConfigKeys::string(std::string_view key) const {
    const ConfigValue* value = find(key);
    if (!value)
        return {};
    if (value->kind != Kind::string)
        throw mistyped(key, *value, "text");
    return value->string;
}

const ConfigValue* ConfigKeys::map_at(std::string_view key) const {
    const ConfigValue* value = find(key);
    if (!value)
        return nullptr;
    if (!value->is_map())
        throw mistyped(key, *value, "a map");
    return value->members.empty() ? nullptr : value;
}

Error ConfigKeys::error(const ConfigValue* at, std::string message) const {
    return Error(text_.position(at ? *at : map_), std::move(message)).exit_code(kExitBadInput);
}

Error ConfigKeys::missing(std::string_view key) const {
    return error(nullptr, fmt::format("there is no {}", key))
        .hint(fmt::format("a config.json of transformers says {}; is the file whole?", key));
}

Error ConfigKeys::mistyped(std::string_view key,
                           const ConfigValue& value,
                           std::string_view wanted) const {
    std::string_view spelled =
        std::string_view(text_.text()).substr(value.begin, value.end - value.begin);
    std::string found = value.is_map()    ? "a map"
                        : value.is_list() ? "a list"
                                          : shorten(escape_controls(spelled), 40);
    return error(&value, fmt::format("{} is {}: it must be {}", key, found, wanted));
}

}  // namespace stillroom::lm
