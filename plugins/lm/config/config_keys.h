#pragma once

#include "engine/base/error.h"
#include "plugins/lm/config/config_text.h"

#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace stillroom::lm {

/// Typed questions to one map of a config.json. Every answer is bounded; what is not of the asked
/// type throws Error (exit 3) at its line and column, naming the key. A null is an absent key.
class ConfigKeys {
public:
    ConfigKeys(const ConfigText& text, const ConfigValue& map) : text_(text), map_(map) {}

    const ConfigText& text() const { return text_; }
    const ConfigValue& map() const { return map_; }
    const ConfigValue* find(std::string_view key) const;

    std::optional<std::int64_t> integer(std::string_view key,
                                        std::int64_t least,
                                        std::int64_t most) const;
    std::int64_t required(std::string_view key, std::int64_t least, std::int64_t most) const;

    /// Over `above`, and finite.
    std::optional<double> number(std::string_view key, double above) const;
    double number_or(std::string_view key, double above, double otherwise) const;

    std::optional<bool> boolean(std::string_view key) const;
    std::optional<std::string> string(std::string_view key) const;
    const ConfigValue* map_at(std::string_view key) const;  ///< null for an empty one too

    /// The error at a value, or at the map where there is none.
    Error error(const ConfigValue* at, std::string message) const;
    Error missing(std::string_view key) const;

private:
    Error mistyped(std::string_view key, const ConfigValue& value, std::string_view wanted) const;

    const ConfigText& text_;
    const ConfigValue& map_;
};

}  // namespace stillroom::lm
