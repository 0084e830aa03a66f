#include "plugins/lm/weights/gguf_keys.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace stillroom::lm {

GgufKeys::GgufKeys(const GgufFile& file) : file_(file) {
    std::optional<std::string_view> architecture = file.text("general.architecture");
    if (!architecture)
        file.refuse("the key 'general.architecture' is missing");
    architecture_ = *architecture;
}

std::string GgufKeys::name(std::string_view key) const {
    return fmt::format("{}.{}", architecture_, key);
}

const GgufValue* GgufKeys::find(std::string_view key) const {
    return file_.find(name(key));
}

std::optional<std::int64_t> GgufKeys::integer(std::string_view key) const {
    skip(key);
    return file_.integer(name(key));
}

std::optional<double> GgufKeys::number(std::string_view key) const {
    skip(key);
    return file_.number(name(key));
}

std::optional<std::string_view> GgufKeys::text(std::string_view key) const {
    skip(key);
    return file_.text(name(key));
}

std::int64_t GgufKeys::positive(std::string_view key, std::int64_t most) const {
    std::optional<std::int64_t> value = integer(key);
    if (!value)
        file_.refuse(fmt::format("the key '{}' is missing", name(key)));
    if (*value < 1 || *value > most)
        file_.refuse(fmt::format("{} is {}, not 1 to {}", name(key), *value, most));
    return *value;
}

std::int64_t GgufKeys::per_layer(std::string_view key, std::int64_t most) const {
    const GgufValue* value = find(key);
    if (!value || !value->is_array)
        return positive(key, most);
    skip(key);
    std::int64_t first = value->integer().value_or(0);
    if (first < 1 || first > most)
        file_.refuse(fmt::format("{} begins with {}, not 1 to {}", name(key), first, most));
    for (std::uint64_t i = 1; i < value->count; ++i)
        if (value->integer(i) != first)
            file_.refuse(
                fmt::format("{} differs from layer to layer, which is not supported", name(key)));
    return first;
}

void GgufKeys::refuse_value(std::string_view key, std::string_view value) const {
    file_.refuse(fmt::format("{} is {}, which is not supported", name(key), value));
}

void GgufKeys::only(std::string_view key, std::int64_t value) const {
    std::optional<double> found = number(key);
    if (found && *found != static_cast<double>(value))
        refuse_value(key, fmt::format("{}", *found));
}

void GgufKeys::only_true(std::string_view key) const {
    skip(key);
    if (file_.boolean(name(key)) == false)
        refuse_value(key, "false");
}

void GgufKeys::skip(std::string_view key) const {
    read_.insert(name(key));
}

void GgufKeys::refuse_unread() const {
    std::string start = architecture_ + ".";
    for (const auto& [key, value] : file_.values())
        if (key.starts_with(start) && !read_.contains(key))
            file_.refuse(fmt::format("the key '{}' is not understood", shown(key)),
                         "what it changes would be left out silently");
}

double shortest_decimal(double value) {
    if (!(std::abs(value) <= std::numeric_limits<float>::max()))
        return value;
    std::array<char, 32> text;
    char* end =
        std::to_chars(text.data(), text.data() + text.size(), static_cast<float>(value)).ptr;
    double out = value;
    std::from_chars(text.data(), end, out);
    return out;
}

}  // namespace stillroom::lm
