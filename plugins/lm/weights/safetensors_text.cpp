#include "plugins/lm/weights/safetensors_text.h"

#include "engine/base/error.h"
#include "engine/base/json_escape.h"
#include "engine/base/text.h"
#include "plugins/lm/weights/tensor.h"

#include <fmt/format.h>

#include <optional>

namespace stillroom::lm {

void SafetensorsText::refuse(std::string_view why) const {
    throw Error({}, fmt::format("cannot read {}: header byte {}: {}", file_, at_, why))
        .exit_code(kExitBadInput);
}

void SafetensorsText::refuse_tensor(std::string_view why) const {
    refuse(fmt::format("tensor '{}': {}", shown(*tensor_), why));
}

void SafetensorsText::require_utf8() {
    if (std::optional<std::size_t> bad = find_invalid_utf8(text_)) {
        at_ = *bad;
        refuse("this is no UTF-8");
    }
}

void SafetensorsText::require_end() {
    skip_blanks();
    if (at_ != text_.size())
        refuse("there is something behind the header's JSON");
}

void SafetensorsText::skip_blanks() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t')
        ++at_;
}

bool SafetensorsText::take(char c) {
    skip_blanks();
    if (peek() != c)
        return false;
    ++at_;
    return true;
}

bool SafetensorsText::take_null() {
    skip_blanks();
    if (!text_.substr(at_).starts_with("null"))
        return false;
    at_ += 4;
    return true;
}

void SafetensorsText::need(char c) {
    if (!take(c))
        refuse(fmt::format("expected '{}'", c));
}

std::uint64_t SafetensorsText::whole_number(std::string_view what) {
    skip_blanks();
    auto digit = [&] { return peek() >= '0' && peek() <= '9'; };
    std::size_t begin = at_;
    if (peek() == '-')
        refuse_tensor(fmt::format("{} is negative", what));
    std::uint64_t value = 0;
    bool fits = true;
    for (; digit(); ++at_)
        fits = fits && !__builtin_mul_overflow(value, std::uint64_t{10}, &value) &&
               !__builtin_add_overflow(value, static_cast<std::uint64_t>(peek() - '0'), &value);
    bool leading_zero = at_ - begin > 1 && text_[begin] == '0';
    if (begin == at_ || leading_zero || peek() == '.' || peek() == 'e' || peek() == 'E')
        refuse_tensor(fmt::format("{} is no whole number", what));
    if (!fits)
        refuse_tensor(fmt::format("{} is over 2^64", what));
    return value;
}

std::string SafetensorsText::string(std::string_view wanted) {
    if (!take('"'))
        refuse(fmt::format("expected {}", wanted));
    std::string out;
    while (true) {
        std::size_t begin = at_;
        while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
               static_cast<unsigned char>(text_[at_]) >= 0x20)
            ++at_;
        out.append(text_.substr(begin, at_ - begin));
        if (at_ == text_.size())
            refuse("a text that never ends");
        if (text_[at_] == '"') {
            ++at_;
            return out;
        }
        if (text_[at_] != '\\')
            refuse("a control character in a text");
        ++at_;
        if (std::string_view why = read_json_escape(text_, at_, out); !why.empty())
            refuse(why);
    }
}

}  // namespace stillroom::lm
