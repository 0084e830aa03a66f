#include "engine/base/json.h"
#include "engine/base/text.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

// Bytes that call themselves text: UTF-8 is decoded and encoded to the same bytes, and nothing that
// is shown to a person still holds a control character or a mark that turns the line around.

using namespace stillroom;

namespace {

void expect(bool promise) {
    if (!promise)
        std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    if (std::optional<std::size_t> bad = find_invalid_utf8(text)) {
        expect(*bad < size);
        text = text.substr(0, *bad);
        expect(!find_invalid_utf8(text));
    }

    std::string again;
    for (std::size_t offset = 0; offset < text.size();) {
        std::size_t before = offset;
        append_utf8(again, decode_utf8(text, offset));
        expect(offset > before);
    }
    expect(again == text);

    std::string shown = escape_controls(text);
    expect(!find_invalid_utf8(shown));
    for (char c : shown)
        expect(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    for (std::string_view mark : {"\u202e", "\u2066", "\u200f", "\u061c"})
        expect(shown.find(mark) == std::string::npos);

    std::string quoted = json_quoted(text);
    expect(quoted.size() >= 2 && quoted.front() == '"' && quoted.back() == '"');
    for (std::size_t i = 1; i + 1 < quoted.size(); i++) {
        expect(static_cast<unsigned char>(quoted[i]) >= 0x20 && quoted[i] != '"');
        if (quoted[i] == '\\')
            i++;
    }

    expect(!find_invalid_utf8(shorten(text, 10)));
    expect(display_width(text) >= 0);
    return 0;
}
