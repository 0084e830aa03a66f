#include "engine/base/text.h"

#include "engine/base/utf8_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace stillroom {
namespace {

struct Range {
    char32_t first;
    char32_t last;
};

// Blocks that terminals draw two columns wide. Coarse on purpose: it places a caret, nothing
// depends on it.
constexpr Range kWide[] = {{0x1100, 0x115F},
                           {0x2E80, 0x303E},
                           {0x3041, 0xA4CF},
                           {0xAC00, 0xD7A3},
                           {0xF900, 0xFAFF},
                           {0xFE30, 0xFE4F},
                           {0xFF00, 0xFF60},
                           {0xFFE0, 0xFFE6},
                           {0x1F300, 0x1F64F},
                           {0x1F900, 0x1F9FF},
                           {0x20000, 0x3FFFD}};
constexpr Range kZeroWidth[] = {
    {0x0300, 0x036F}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}};
constexpr Range kBidirectional[] = {
    {0x061C, 0x061C}, {0x200E, 0x200F}, {0x202A, 0x202E}, {0x2028, 0x2029}, {0x2066, 0x2069}};

bool in_any(std::span<const Range> ranges, char32_t c) {
    return std::any_of(
        ranges.begin(), ranges.end(), [c](Range r) { return c >= r.first && c <= r.last; });
}

char fold(char c) {
    return c == '-' ? '_' : c;
}

/// How many bytes, at least the first, are ASCII.
std::size_t ascii_from(const char* text, std::size_t size) {
    constexpr std::uint64_t kHighs = 0x8080808080808080;
    std::size_t i = 0;
    for (std::uint64_t words[4]; size - i >= sizeof words; i += sizeof words) {
        std::memcpy(words, text + i, sizeof words);
        if ((words[0] | words[1] | words[2] | words[3]) & kHighs)
            break;
    }
    while (i < size && (text[i] & 0x80) == 0)
        ++i;
    return i;
}

}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
    auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text.data()[at]); };
    std::size_t i = valid_utf8_blocks(text.data(), text.size(), best_utf8_tier());
    while (i < text.size()) {
        unsigned char lead = byte(i);
        if (lead < 0x80) {
            i += ascii_from(text.data() + i, text.size() - i);
            continue;
        }
        auto follows = [&](std::size_t at) { return (byte(at) & 0xC0) == 0x80; };
        // Most of what is not ASCII: three bytes of which any may follow the first.
        while (lead > 0xE0 && lead < 0xED && text.size() - i > 3 && follows(i + 1) &&
               follows(i + 2)) {
            i += 3;
            lead = byte(i);
        }
        if (lead < 0x80)
            continue;
        std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        if (lead < 0xC2 || lead > 0xF4 || i + length > text.size())
            return i;
        for (std::size_t k = 1; k < length; ++k)
            if (!follows(i + k))
                return i;
        unsigned char second = byte(i + 1);
        bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
        bool surrogate = lead == 0xED && second >= 0xA0;
        bool too_large = lead == 0xF4 && second >= 0x90;
        if (overlong || surrogate || too_large)
            return i;
        i += length;
    }
    return std::nullopt;
}

char32_t decode_utf8(std::string_view text, std::size_t& offset) {
    auto lead = static_cast<unsigned char>(text[offset]);
    if (lead < 0x80)
        return text[offset++] & 0x7F;
    std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    auto code_point = static_cast<char32_t>(lead & (0xFF >> (length + 1)));
    std::size_t end = std::min(offset + length, text.size());
    for (std::size_t i = offset + 1; i < end; ++i)
        code_point = (code_point << 6) | (static_cast<unsigned char>(text[i]) & 0x3F);
    offset = end;
    return code_point;
}

void append_utf8(std::string& out, char32_t c) {
    auto put = [&](char32_t byte) {
        out.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
    };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xC0 | (c >> 6));
        put(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        put(0xE0 | (c >> 12));
        put(0x80 | ((c >> 6) & 0x3F));
        put(0x80 | (c & 0x3F));
    } else {
        put(0xF0 | (c >> 18));
        put(0x80 | ((c >> 12) & 0x3F));
        put(0x80 | ((c >> 6) & 0x3F));
        put(0x80 | (c & 0x3F));
    }
}

std::string escape_controls(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    std::size_t i = 0;
    while (i < text.size()) {
        auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x80) {
            ++i;
            if (byte == '\n')
                out += "\\n";
            else if (byte == '\r')
                out += "\\r";
            else if (byte == '\t')
                out += "\\t";
            else if (byte < 0x20 || byte == 0x7F)
                out += fmt::format("\\x{:02x}", byte);
            else
                out.push_back(static_cast<char>(byte));
            continue;
        }
        std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
        std::string_view piece = text.substr(i, length);
        if (find_invalid_utf8(piece)) {
            out += fmt::format("\\x{:02x}", byte);
            ++i;
            continue;
        }
        std::size_t at = 0;
        char32_t c = decode_utf8(piece, at);
        if ((c >= 0x80 && c < 0xA0) || in_any(kBidirectional, c) || c == 0xFEFF)
            out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
        else
            out += piece;
        i += length;
    }
    return out;
}

int display_width(std::string_view text) {
    int width = 0;
    for (std::size_t i = 0; i < text.size();) {
        char32_t c = decode_utf8(text, i);
        width += in_any(kZeroWidth, c) ? 0 : in_any(kWide, c) ? 2 : 1;
    }
    return width;
}

std::string shorten(std::string_view text, std::size_t limit) {
    std::size_t i = 0;
    std::size_t count = 0;
    std::size_t cut = 0;
    while (i < text.size()) {
        if (count + 3 == limit)
            cut = i;
        decode_utf8(text, i);
        ++count;
    }
    if (count <= limit)
        return std::string(text);
    return std::string(text.substr(0, cut)) + "...";
}

int edit_distance(std::string_view a, std::string_view b, int limit) {
    auto size_gap =
        static_cast<int>(a.size() > b.size() ? a.size() - b.size() : b.size() - a.size());
    if (size_gap > limit)
        return limit + 1;
    // Three rows of the optimal-string-alignment table.
    std::vector<int> before(b.size() + 1), previous(b.size() + 1), current(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        previous[j] = static_cast<int>(j);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        current[0] = static_cast<int>(i);
        int best = current[0];
        for (std::size_t j = 1; j <= b.size(); ++j) {
            int replace = previous[j - 1] + (fold(a[i - 1]) == fold(b[j - 1]) ? 0 : 1);
            current[j] = std::min({previous[j] + 1, current[j - 1] + 1, replace});
            bool swapped = i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
                           fold(a[i - 2]) == fold(b[j - 1]);
            if (swapped)
                current[j] = std::min(current[j], before[j - 2] + 1);
            best = std::min(best, current[j]);
        }
        if (best > limit)
            return limit + 1;
        std::swap(before, previous);
        std::swap(previous, current);
    }
    return std::min(previous[b.size()], limit + 1);
}

std::vector<std::string> nearest(std::string_view name, std::span<const std::string> candidates) {
    int limit = name.size() <= 2 ? 1 : 2;
    std::vector<std::pair<int, std::string>> found;
    for (const std::string& candidate : candidates) {
        int distance = edit_distance(name, candidate, limit);
        if (distance <= limit)
            found.emplace_back(distance, candidate);
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    if (found.size() > 3)
        found.resize(3);
    std::vector<std::string> names;
    for (auto& [distance, candidate] : found)
        names.push_back(std::move(candidate));
    return names;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
    std::vector<std::string> names = nearest(name, candidates);
    if (names.empty())
        return "";
    for (std::string& candidate : names)
        candidate = fmt::format("'{}'", candidate);
    return fmt::format("did you mean {}?", join(names, "or"));
}

std::string join(std::span<const std::string> words, std::string_view last) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0)
            out += i + 1 == words.size() ? fmt::format(" {} ", last) : ", ";
        out += words[i];
    }
    return out;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    std::size_t start = 0;
    for (;;) {
        std::size_t end = text.find(separator, start);
        parts.emplace_back(text.substr(start, end == std::string_view::npos ? end : end - start));
        if (end == std::string_view::npos)
            return parts;
        start = end + 1;
    }
}

std::string_view trim(std::string_view text) {
    std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string plural(std::size_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace stillroom
