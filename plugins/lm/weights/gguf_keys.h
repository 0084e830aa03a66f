#pragma once

#include "plugins/lm/weights/gguf.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace stillroom::lm {

/// The keys `{architecture}.*` of a GGUF file. Which were asked for is remembered, so that what
/// nobody understood can be refused instead of left out. All of it throws Error (exit 3).
class GgufKeys {
public:
    explicit GgufKeys(const GgufFile& file);

    std::string_view architecture() const { return architecture_; }
    std::string name(std::string_view key) const;  ///< "llama.block_count"
    const GgufValue* find(std::string_view key) const;

    std::optional<std::int64_t> integer(std::string_view key) const;
    std::optional<double> number(std::string_view key) const;
    std::optional<std::string_view> text(std::string_view key) const;
    std::int64_t positive(std::string_view key, std::int64_t most) const;  ///< required

    /// One number for all layers: a list whose items differ is refused.
    std::int64_t per_layer(std::string_view key, std::int64_t most) const;

    /// Absent, or this value: another one is not supported.
    void only(std::string_view key, std::int64_t value) const;
    void only_true(std::string_view key) const;
    void skip(std::string_view key) const;  ///< it is understood, and says nothing
    bool was_read(std::string_view key) const { return read_.contains(name(key)); }

    void refuse_unread() const;

private:
    [[noreturn]] void refuse_value(std::string_view key, std::string_view value) const;

    const GgufFile& file_;
    std::string architecture_;
    mutable std::set<std::string> read_;
};

/// The decimal with the fewest digits whose fp32 is that of `value`: a number as it was before it
/// was stored as fp32. What no fp32 can be stays as it is.
double shortest_decimal(double value);

}  // namespace stillroom::lm
