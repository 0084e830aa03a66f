#include "plugins/lm/tokenizer/byte_alphabet.h"

#include "engine/base/text.h"
#include "plugins/lm/tokenizer/unicode.h"

#include <array>

namespace stillroom::lm {
namespace {

struct Alphabet {
    std::array<char32_t, 256> of_byte{};
    std::array<short, 0x144> of_spelling{};
};

const Alphabet& alphabet() {
    static const Alphabet made = [] {
        Alphabet out;
        out.of_spelling.fill(-1);
        char32_t next = 0x100;
        for (int b = 0; b < 256; ++b) {
            bool visible = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
            char32_t c = visible ? static_cast<char32_t>(b) : next++;
            out.of_byte[static_cast<std::size_t>(b)] = c;
            out.of_spelling[c] = static_cast<short>(b);
        }
        return out;
    }();
    return made;
}

}  // namespace

char32_t spelling_of_byte(unsigned char byte) {
    return alphabet().of_byte[byte];
}

int byte_of_spelling(char32_t c) {
    const Alphabet& known = alphabet();
    return c < known.of_spelling.size() ? known.of_spelling[c] : -1;
}

std::string spell_bytes(std::string_view bytes) {
    std::string out;
    for (char c : bytes)
        append_utf8(out, spelling_of_byte(static_cast<unsigned char>(c)));
    return out;
}

std::size_t spell_bytes(std::string_view bytes, char* into) {
    const Alphabet& known = alphabet();
    char* at = into;
    for (char byte : bytes) {
        char32_t c = known.of_byte[static_cast<unsigned char>(byte)];  // below U+0800
        if (c >= 0x80)
            *at++ = static_cast<char>(0xC0 | c >> 6);
        *at++ = static_cast<char>(c < 0x80 ? c : 0x80 | (c & 63));
    }
    return static_cast<std::size_t>(at - into);
}

bool spelled_bytes(std::string_view text, std::string& out) {
    const Alphabet& known = alphabet();
    out.resize(text.size());
    std::size_t size = 0;
    int length = 0;
    for (std::size_t at = 0; at < text.size(); at += static_cast<std::size_t>(length)) {
        char32_t c = code_point(text.data() + at, length);
        int byte = c < known.of_spelling.size() ? known.of_spelling[c] : -1;
        if (byte < 0)
            return false;
        out[size++] = static_cast<char>(byte);
    }
    out.resize(size);
    return true;
}

std::optional<std::string> spelled_bytes(std::string_view text) {
    std::optional<std::string> out(std::in_place);
    if (!spelled_bytes(text, *out))
        out.reset();
    return out;
}

}  // namespace stillroom::lm
