#include "engine/document/encoding.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <array>

namespace stillroom {
namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";

/// The name of a wide encoding, told by its mark or by zeros where ASCII would stand.
std::string_view wide_encoding(std::string_view text) {
    using namespace std::string_view_literals;
    if (text.starts_with("\xFF\xFE\0\0"sv) || text.starts_with("\0\0\xFE\xFF"sv))
        return "UTF-32";
    if (text.starts_with("\xFF\xFE"sv) || text.starts_with("\xFE\xFF"sv))
        return "UTF-16";
    if (text.size() < 4)
        return text.size() == 2 && (text[0] == 0) != (text[1] == 0) ? "UTF-16" : "";
    std::array<bool, 4> zero{};
    for (std::size_t i = 0; i < 4; ++i)
        zero[i] = text[i] == 0;
    if (zero == std::array{false, true, true, true} || zero == std::array{true, true, true, false})
        return "UTF-32";
    if (zero == std::array{false, true, false, true} ||
        zero == std::array{true, false, true, false})
        return "UTF-16";
    return "";
}

std::string_view name_of(char32_t character) {
    switch (character) {
        case 0:
            return "a NUL";
        case 0x1B:
            return "an escape character";
        case 0xFEFF:
            return "a byte order mark inside the text";
        default:
            return "a control character";
    }
}

/// The first byte that may not stand in a text, or the size. One look at each byte: ordinary ASCII
/// takes the short way.
std::size_t find_forbidden(std::string_view text, std::size_t at) {
    while (at < text.size()) {
        auto byte = static_cast<unsigned char>(text[at]);
        if (byte >= 0x20 && byte < 0x7F) {
            ++at;
        } else if (byte < 0x80) {
            bool line_end = byte == '\n' || (byte == '\r' && text.substr(at, 2) == "\r\n");
            if (!line_end && byte != '\t')
                return at;
            ++at;
        } else {
            std::size_t start = at;
            char32_t character = decode_utf8(text, at);
            if ((character < 0xA0 && character != 0x85) || character == 0xFEFF)
                return start;
        }
    }
    return text.size();
}

}  // namespace

std::size_t skip_byte_order_mark(std::string_view text) {
    return text.starts_with(kMark) ? kMark.size() : 0;
}

bool check_encoding(const Source& source, Diagnostics& diagnostics) {
    std::string_view text = source.text();
    if (std::string_view wide = wide_encoding(text); !wide.empty()) {
        diagnostics.error(code::kEncoding, source.span(0, 1), fmt::format("the text is {}", wide))
            .with_hint("save it as UTF-8");
        return false;
    }
    if (std::optional<std::size_t> at = find_invalid_utf8(text)) {
        auto byte = static_cast<unsigned char>(text[*at]);
        diagnostics
            .error(code::kEncoding,
                   source.span(*at, *at + 1),
                   fmt::format("not UTF-8: byte 0x{:02x} at offset {}", byte, *at))
            .with_hint("save the text as UTF-8");
        return false;
    }
    return true;
}

bool check_characters(const Source& source, Diagnostics& diagnostics) {
    std::string_view text = source.text();
    std::size_t at = find_forbidden(text, skip_byte_order_mark(text));
    if (at == text.size())
        return true;
    if (text[at] == '\r') {
        diagnostics
            .error(code::kEncoding,
                   source.span(at, at + 1),
                   fmt::format("a carriage return without a line feed at offset {}", at))
            .with_hint("end lines with LF or CRLF");
        return false;
    }
    std::size_t end = at;
    char32_t character = decode_utf8(text, end);
    diagnostics
        .error(code::kEncoding,
               source.span(at, end),
               fmt::format("{} (U+{:04X}) at offset {}",
                           name_of(character),
                           static_cast<std::uint32_t>(character),
                           at))
        .with_hint(character == 0xFEFF ? "remove it" : "write it as an escape in double quotes");
    return false;
}

}  // namespace stillroom
