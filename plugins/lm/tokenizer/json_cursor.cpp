#include "plugins/lm/tokenizer/json_cursor.h"

#include "engine/base/text.h"

#include <fmt/format.h>

#include <charconv>

namespace stillroom::lm {
namespace {

constexpr int kDeepest = 256;

bool in_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' ||
           c == 'E';
}

}  // namespace

Error JsonCursor::error(std::size_t at, std::string why) const {
    Position where{file_, 1, 1};
    for (char c : text_.substr(0, at)) {
        where.line += c == '\n';
        where.column = c == '\n' ? 1 : where.column + ((c & 0xC0) != 0x80);
    }
    return std::move(Error(where, std::move(why)).exit_code(kExitBadInput));
}

/// Of files that are laid out for reading a third are blanks, most of them in rows.
void JsonCursor::more_blanks() {
    const char* text = text_.data();
    while (at_ < text_.size() &&
           (text[at_] == ' ' || text[at_] == '\n' || text[at_] == '\t' || text[at_] == '\r')) {
        ++at_;
        std::size_t row = kAtOnce;
        while (row == kAtOnce && text_.size() - at_ >= kAtOnce)
            at_ += row = spaces(text + at_);
    }
}

void JsonCursor::refuse(const char* why) const {
    throw error(why);
}

void JsonCursor::refuse_but(char c) const {
    throw error(fmt::format("no JSON: '{}' should stand here", c));
}

void JsonCursor::open(char bracket) {
    if (peek() != bracket)
        throw error(bracket == '{' ? "this should be a map" : "this should be a list");
    ++at_;
}

void JsonCursor::end() {
    blanks();
    if (at_ != text_.size())
        throw error("no JSON: there is something behind the value");
}

unsigned JsonCursor::hex() {
    unsigned value = 0;
    if (text_.size() - at_ < 4)
        throw error("no JSON: \\u wants four hexadecimal digits");
    auto [end, bad] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, value, 16);
    if (bad != std::errc() || end != text_.data() + at_ + 4)
        throw error("no JSON: \\u wants four hexadecimal digits");
    at_ += 4;
    return value;
}

void JsonCursor::escaped() {
    std::size_t begin = at_ - 1;
    if (at_ == text_.size())
        throw error("the text ends inside a string");
    char c = text_[at_++];
    constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
    if (std::size_t i = kNames.find(c); i != std::string_view::npos) {
        decoded_ += kValues[i];
        return;
    }
    if (c != 'u')
        throw error(begin, "no JSON: an escape that does not exist");
    char32_t value = hex();
    if (value >= 0xDC00 && value < 0xE000)
        throw error(begin, "a lone surrogate is no character");
    if (value >= 0xD800 && value < 0xDC00) {
        if (text_.substr(at_, 2) != "\\u")
            throw error(begin, "a lone surrogate is no character");
        at_ += 2;
        unsigned low = hex();
        if (low < 0xDC00 || low > 0xDFFF)
            throw error(begin, "a lone surrogate is no character");
        value = 0x10000 + ((value - 0xD800) << 10 | (low - 0xDC00));
    }
    append_utf8(decoded_, value);
}

/// What begins at `begin`, plain up to here.
std::string_view JsonCursor::escaped_string(std::size_t begin) {
    bool plain = true;
    for (;;) {
        while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
               static_cast<unsigned char>(text_[at_]) >= 32)
            ++at_;
        if (at_ == text_.size())
            throw error("the text ends inside a string");
        char c = text_[at_];
        if (static_cast<unsigned char>(c) < 32)
            throw error("no JSON: a control character inside a string");
        if (c == '"' && plain)
            return text_.substr(begin, at_++ - begin);
        if (plain)
            decoded_.assign(text_.substr(begin, at_ - begin));
        else
            decoded_ += text_.substr(begin, at_ - begin);
        plain = false;
        ++at_;
        if (c == '"')
            return decoded_;
        escaped();
        begin = at_;
    }
}

std::int64_t JsonCursor::other_integer() {
    char first = peek();
    std::int64_t value = 0;
    auto [end, bad] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    bool whole = end == text_.data() + text_.size() || !in_number(*end);
    if (bad != std::errc() || !whole || !in_number(first))
        throw error("this should be a whole number");
    at_ = static_cast<std::size_t>(end - text_.data());
    return value;
}

double JsonCursor::number() {
    char first = peek();
    double value = 0;
    auto [end, bad] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (bad != std::errc() || !(in_number(first)))
        throw error("this should be a number");
    at_ = static_cast<std::size_t>(end - text_.data());
    return value;
}

std::string_view JsonCursor::raw() {
    peek();
    std::size_t begin = at_;
    std::string open;
    do {
        char c = peek();
        if (c == '"') {
            string();
        } else if (c == '{' || c == '[') {
            if (open.size() == kDeepest)
                throw error(fmt::format("nested deeper than {}", kDeepest));
            open += c == '{' ? '}' : ']';
            ++at_;
        } else if (c == '}' || c == ']') {
            if (open.empty() || open.back() != c)
                throw error("no JSON: a bracket that closes nothing");
            open.pop_back();
            ++at_;
        } else if (c == ',' || c == ':') {
            if (open.empty())
                throw error("no JSON: a value should stand here");
            ++at_;
        } else {
            std::size_t word = at_;
            while (at_ < text_.size() && in_word(text_[at_]))
                ++at_;
            if (at_ == word)
                throw error("no JSON: a value should stand here");
        }
    } while (!open.empty());
    return text_.substr(begin, at_ - begin);
}

}  // namespace stillroom::lm
