#include "engine/base/json_escape.h"

#include "engine/base/text.h"

#include <optional>

namespace stillroom {
namespace {

constexpr std::string_view kNoHex = "expected four hex digits";
constexpr std::string_view kHalf = "half a surrogate pair";

std::optional<char32_t> hex4(std::string_view text, std::size_t& at) {
    char32_t out = 0;
    for (int i = 0; i < 4; ++i, ++at) {
        char c = at < text.size() ? text[at] : '\0';
        if (c >= '0' && c <= '9')
            out = out * 16 + static_cast<char32_t>(c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            out = out * 16 + static_cast<char32_t>((c | 32) - 'a' + 10);
        else
            return std::nullopt;
    }
    return out;
}

}  // namespace

std::string_view read_json_escape(std::string_view text, std::size_t& at, std::string& out) {
    constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    char c = at < text.size() ? text[at] : '\0';
    if (std::size_t found = kLetters.find(c); c != '\0' && found != std::string_view::npos) {
        out.push_back(kMeanings[found]);
        ++at;
        return {};
    }
    if (c != 'u')
        return "an unknown escape";
    ++at;
    std::optional<char32_t> first = hex4(text, at);
    if (!first)
        return kNoHex;
    char32_t character = *first;
    if (character >= 0xd800 && character < 0xdc00 && text.substr(at).starts_with("\\u")) {
        at += 2;
        std::optional<char32_t> second = hex4(text, at);
        if (!second)
            return kNoHex;
        if (*second < 0xdc00 || *second > 0xdfff)
            return kHalf;
        character = 0x10000 + ((character - 0xd800) << 10) + (*second - 0xdc00);
    } else if (character >= 0xd800 && character <= 0xdfff) {
        return kHalf;
    }
    append_utf8(out, character);
    return {};
}

}  // namespace stillroom
