#pragma once

#include "engine/base/error.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace stillroom::lm {

/// Reads one JSON text from front to back without a tree, for files of a million strings; a small
/// part is taken as raw() and given to Json::parse. What is wrong throws Error (exit 3) with the
/// file's line and column. Every skipped byte has been looked at, but what raw() skips is only
/// balanced, not yet valid.
class JsonCursor {
public:
    /// The text must outlive the cursor and be valid UTF-8. Reading begins at `from`.
    JsonCursor(std::string_view text, std::string file, std::size_t from = 0)
        : text_(text),
          file_(std::move(file)),
          at_(from) {}

    /// Calls on_member(key) for each; it must consume the value. The key is valid until then.
    template <class OnMember>
    void object(OnMember on_member) {
        open('{');
        std::string kept;
        for (bool first = true; !closes('}', first); first = false) {
            std::string_view key = string();
            if (is_decoded(key))
                key = kept.assign(key);
            expect(':');
            on_member(key);
        }
    }
    template <class OnItem>
    void array(OnItem on_item) {
        open('[');
        for (bool first = true; !closes(']', first); first = false)
            on_item();
    }

    /// Valid until the next one is read, where it is_decoded().
    std::string_view string() {
        if (peek() != '"')
            refuse("this should be text");
        std::size_t begin = ++at_;
        std::size_t plain = 0;
        do {
            if (text_.size() - at_ < kAtOnce)
                return escaped_string(begin);
            at_ += plain = plain_bytes(text_.data() + at_);
        } while (plain == kAtOnce);
        if (text_.data()[at_] == '"')
            return {text_.data() + begin, at_++ - begin};
        return escaped_string(begin);
    }
    std::int64_t integer() {
        peek();
        std::size_t at = at_;
        std::int64_t value = 0;
        constexpr std::size_t kMostDigits = 18;  // that cannot be too many
        for (; at < text_.size() && is_digit(text_.data()[at]) && at - at_ < kMostDigits; ++at)
            value = value * 10 + (text_.data()[at] - '0');
        if (at == at_ || at == text_.size() || in_number(text_.data()[at]))
            return other_integer();
        at_ = at;
        return value;
    }
    double number();
    std::string_view raw();  ///< the text of the next value, skipped
    /// The first byte of the next value.
    char peek() {
        blanks();
        if (at_ == text_.size())
            refuse("the text ends inside a value");
        return text_.data()[at_];
    }
    void end();  ///< nothing but blanks may follow

    std::string_view text() const { return text_; }
    std::size_t at() const { return at_; }
    void go_on_at(std::size_t at) { at_ = at; }  ///< of the text, between two values
    /// This string() held escapes; one without them is a part of the text itself.
    bool is_decoded(std::string_view text) const { return text.data() == decoded_.data(); }
    Error error(std::string why) const { return error(at_, std::move(why)); }
    Error error(std::size_t at, std::string why) const;

private:
    static bool is_digit(char c) { return c >= '0' && c <= '9'; }
    static bool in_number(char c) {
        return is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
    }

    /// Bytes, of so many from there, before the first that ends the plain part of a string.
#if defined(__SSE2__)
    static constexpr std::size_t kAtOnce = 16;
    static std::size_t plain_bytes(const char* text) {
        __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(31)), bytes);
        __m128i ends = _mm_or_si128(low,
                                    _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                                 _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
        return static_cast<std::size_t>(
            std::countr_zero(static_cast<unsigned>(_mm_movemask_epi8(ends)) | 1u << kAtOnce));
    }
    static std::size_t spaces(const char* text) {
        __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
        __m128i same = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' '));
        return static_cast<std::size_t>(
            std::countr_one(static_cast<unsigned>(_mm_movemask_epi8(same))));
    }
#else
    static constexpr std::size_t kAtOnce = 8;
    static std::size_t plain_bytes(const char* text) {
        std::size_t count = 0;
        while (count < kAtOnce && text[count] != '"' && text[count] != '\\' &&
               static_cast<unsigned char>(text[count]) >= 32)
            ++count;
        return count;
    }
    static std::size_t spaces(const char* text) {
        std::size_t count = 0;
        while (count < kAtOnce && text[count] == ' ')
            ++count;
        return count;
    }
#endif

    void blanks() {
        if (at_ < text_.size() && text_.data()[at_] <= ' ')
            more_blanks();
    }
    void more_blanks();
    void open(char bracket);
    bool closes(char bracket, bool first) {
        if (peek() == bracket) {
            ++at_;
            return true;
        }
        if (!first) {
            expect(',');
            if (peek() == bracket)
                refuse("no JSON: nothing follows this comma");
        }
        return false;
    }
    void expect(char c) {
        if (peek() != c)
            refuse_but(c);
        ++at_;
    }
    [[noreturn]] void refuse(const char* why) const;
    [[noreturn]] void refuse_but(char c) const;
    void escaped();
    std::string_view escaped_string(std::size_t begin);
    std::int64_t other_integer();
    unsigned hex();

    std::string_view text_;
    std::string file_;
    std::size_t at_;
    std::string decoded_;
};

}  // namespace stillroom::lm
