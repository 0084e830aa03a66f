#include "engine/schema/pattern.h"

#include "engine/base/match_memory.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>

namespace stillroom {
namespace {

constexpr MatchMemory::Limits kLimits{
    .steps = 2'000'000,  // tenths of a second
    .depth = 20'000,
    .heap_kib = 20'000,
};

constexpr std::string_view kSpaces =
    R"(\t\n\x{b}\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff})";
constexpr std::string_view kNoSpaces =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027})"
    R"(\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff})";

struct Category {
    std::string_view name, code;
};

constexpr Category kCategories[] = {{"Letter", "L"},
                                    {"Cased_Letter", "L&"},
                                    {"Uppercase_Letter", "Lu"},
                                    {"Lowercase_Letter", "Ll"},
                                    {"Titlecase_Letter", "Lt"},
                                    {"Modifier_Letter", "Lm"},
                                    {"Other_Letter", "Lo"},
                                    {"Mark", "M"},
                                    {"Nonspacing_Mark", "Mn"},
                                    {"Spacing_Mark", "Mc"},
                                    {"Enclosing_Mark", "Me"},
                                    {"Number", "N"},
                                    {"Decimal_Number", "Nd"},
                                    {"digit", "Nd"},
                                    {"Letter_Number", "Nl"},
                                    {"Other_Number", "No"},
                                    {"Punctuation", "P"},
                                    {"punct", "P"},
                                    {"Connector_Punctuation", "Pc"},
                                    {"Dash_Punctuation", "Pd"},
                                    {"Open_Punctuation", "Ps"},
                                    {"Close_Punctuation", "Pe"},
                                    {"Initial_Punctuation", "Pi"},
                                    {"Final_Punctuation", "Pf"},
                                    {"Other_Punctuation", "Po"},
                                    {"Symbol", "S"},
                                    {"Math_Symbol", "Sm"},
                                    {"Currency_Symbol", "Sc"},
                                    {"Modifier_Symbol", "Sk"},
                                    {"Other_Symbol", "So"},
                                    {"Separator", "Z"},
                                    {"Space_Separator", "Zs"},
                                    {"Line_Separator", "Zl"},
                                    {"Paragraph_Separator", "Zp"},
                                    {"Other", "C"},
                                    {"Control", "Cc"},
                                    {"Format", "Cf"},
                                    {"Surrogate", "Cs"},
                                    {"Private_Use", "Co"},
                                    {"Unassigned", "Cn"}};

/// Rewrites one pattern from left to right. `failed` says where it is no pattern.
class Rewriter {
public:
    explicit Rewriter(std::string_view text) : text_(text) {}

    std::optional<std::string> run() {
        while (at_ < text_.size() && problem_.empty())
            step();
        if (!problem_.empty())
            return std::nullopt;
        return out_;
    }

    const std::string& problem() const { return problem_; }
    std::size_t offset() const { return at_; }

private:
    void fail(std::string message) { problem_ = std::move(message); }

    void step() {
        char c = text_[at_];
        if (c == '\\') {
            escape();
            return;
        }
        if (in_class_) {
            inside_class(c);
            return;
        }
        if (c == '[') {
            in_class_ = true;
            out_ += '[';
            if (++at_; at_ < text_.size() && text_[at_] == '^')
                out_ += text_[at_++];
            return;
        }
        if (c == '(' && !group())
            return;
        if (is_quantifier(c)) {
            quantifier();
            return;
        }
        if (c == '.')
            out_ += R"([^\n\r\x{2028}\x{2029}])";
        else
            out_ += c;
        ++at_;
    }

    void inside_class(char c) {
        if (c == ']')
            in_class_ = false;
        if (c == '[')
            out_ += '\\';  // else [: would open a POSIX class
        out_ += c;
        ++at_;
    }

    /// Only the groups of ECMA-262; false where it is another.
    bool group() {
        std::string_view rest = text_.substr(at_ + 1);
        if (rest.starts_with('*')) {
            fail("nothing to repeat");
            return false;
        }
        if (!rest.starts_with('?'))
            return true;
        rest.remove_prefix(1);
        bool known = rest.starts_with(':') || rest.starts_with('=') || rest.starts_with('!') ||
                     (rest.starts_with('<') && rest.size() > 1);
        if (!known)
            fail("this kind of group is not known to JSON Schema's patterns");
        return known;
    }

    bool is_quantifier(char c) const {
        if (c == '*' || c == '+' || c == '?')
            return !(c == '?' && at_ > 0 && text_[at_ - 1] == '(');
        return c == '{' && counted() > 0;
    }

    /// The length of {n}, {n,} or {n,m} here, or 0.
    std::size_t counted() const {
        std::size_t i = at_ + 1, digits = 0;
        while (i < text_.size() && text_[i] >= '0' && text_[i] <= '9')
            ++i, ++digits;
        if (digits == 0)
            return 0;
        if (i < text_.size() && text_[i] == ',')
            for (++i; i < text_.size() && text_[i] >= '0' && text_[i] <= '9';)
                ++i;
        return i < text_.size() && text_[i] == '}' ? i + 1 - at_ : 0;
    }

    void quantifier() {
        std::size_t length = text_[at_] == '{' ? counted() : 1;
        out_ += text_.substr(at_, length);
        at_ += length;
        if (at_ < text_.size() && text_[at_] == '?')
            out_ += text_[at_++];
        if (at_ < text_.size() && is_quantifier(text_[at_]))
            fail("nothing to repeat");
    }

    void escape() {
        if (at_ + 1 >= text_.size()) {
            fail("a backslash at the end");
            return;
        }
        char c = text_[at_ + 1];
        switch (c) {
            case 's':
            case 'S':
                spaces(c == 's');
                return;
            case 'u':
                unicode();
                return;
            case 'x':
                byte();
                return;
            case 'p':
            case 'P':
                property(c);
                return;
            case 'c':
                control();
                return;
            case 'v':
                literal(2, 0x0B);
                return;
            case '0':
                literal(2, 0);
                return;
            default:
                break;
        }
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        constexpr std::string_view kKnown = "dDwWbBtnrfk";
        if (letter && kKnown.find(c) == std::string_view::npos) {
            fail(fmt::format("\\{} is no escape of JSON Schema's patterns", c));
            return;
        }
        if (in_class_ && (c == 'B' || c == 'k')) {
            fail(fmt::format("\\{} means nothing inside [ ]", c));
            return;
        }
        auto lead = static_cast<unsigned char>(c);
        out_ += lead < 0x80 ? "\\" : "";
        out_ += c;
        at_ += 2;
    }

    void literal(std::size_t length, std::uint32_t code_point) {
        out_ += fmt::format("\\x{{{:x}}}", code_point);
        at_ += length;
    }

    void spaces(bool positive) {
        std::string_view set = positive ? kSpaces : kNoSpaces;
        out_ += in_class_ ? std::string(set) : fmt::format("[{}]", set);
        at_ += 2;
    }

    std::optional<std::uint32_t> hex_at(std::size_t begin, std::size_t length) const {
        if (length == 0 || length > 6 || begin + length > text_.size())
            return std::nullopt;
        std::uint32_t value = 0;
        for (char c : text_.substr(begin, length)) {
            char lower = static_cast<char>(c | 0x20);
            bool digit = c >= '0' && c <= '9';
            if (!digit && !(lower >= 'a' && lower <= 'f'))
                return std::nullopt;
            value = value * 16 + static_cast<std::uint32_t>(digit ? c - '0' : lower - 'a' + 10);
        }
        return value;
    }

    void byte() {
        if (std::optional<std::uint32_t> value = hex_at(at_ + 2, 2))
            literal(4, *value);
        else
            fail("\\x needs two hexadecimal digits");
    }

    void unicode() {
        if (at_ + 2 < text_.size() && text_[at_ + 2] == '{') {
            std::size_t end = text_.find('}', at_);
            std::optional<std::uint32_t> value =
                end == std::string_view::npos ? std::nullopt : hex_at(at_ + 3, end - at_ - 3);
            if (!value || *value > 0x10FFFF)
                fail("\\u{...} needs a code point in hexadecimal digits");
            else
                literal(end + 1 - at_, *value);
            return;
        }
        std::optional<std::uint32_t> first = hex_at(at_ + 2, 4);
        if (!first) {
            fail("\\u needs four hexadecimal digits");
            return;
        }
        bool high = *first >= 0xD800 && *first < 0xDC00;
        if (high && text_.substr(at_ + 6).starts_with("\\u")) {
            std::optional<std::uint32_t> second = hex_at(at_ + 8, 4);
            if (second && *second >= 0xDC00 && *second < 0xE000) {
                literal(12, 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00));
                return;
            }
        }
        if (*first >= 0xD800 && *first < 0xE000)
            fail("half of a surrogate pair");
        else
            literal(6, *first);
    }

    void property(char letter) {
        std::size_t end = text_.find('}', at_);
        if (at_ + 2 >= text_.size() || text_[at_ + 2] != '{' || end == std::string_view::npos) {
            fail(fmt::format("\\{} needs a property in braces", letter));
            return;
        }
        std::string name(text_.substr(at_ + 3, end - at_ - 3));
        for (std::string_view prefix : {"General_Category=", "gc="})
            if (name.starts_with(prefix))
                name.erase(0, prefix.size());
        auto found = std::find_if(std::begin(kCategories),
                                  std::end(kCategories),
                                  [&](const Category& each) { return each.name == name; });
        if (found != std::end(kCategories))
            name = std::string(found->code);
        out_ += fmt::format("\\{}{{{}}}", letter, name);
        at_ = end + 1;
    }

    void control() {
        char c = at_ + 2 < text_.size() ? text_[at_ + 2] : ' ';
        char lower = static_cast<char>(c | 0x20);
        if (lower < 'a' || lower > 'z')
            fail("\\c needs a letter");
        else
            literal(3, static_cast<std::uint32_t>(lower - 'a' + 1));
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::string out_;
    std::string problem_;
    bool in_class_ = false;
};

}  // namespace

Pattern::Pattern(std::string_view text) {
    if (std::optional<std::size_t> bad = find_invalid_utf8(text)) {
        problem_ = "not valid UTF-8";
        offset_ = *bad;
        return;
    }
    Rewriter rewriter(text);
    std::optional<std::string> rewritten = rewriter.run();
    if (!rewritten) {
        problem_ = rewriter.problem();
        offset_ = rewriter.offset();
        return;
    }
    std::uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY |
                            PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_UNSET_BACKREF |
                            PCRE2_NEVER_BACKSLASH_C;
    int error = 0;
    PCRE2_SIZE where = 0;
    pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(rewritten->data()),
                                     rewritten->size(),
                                     options,
                                     &error,
                                     &where,
                                     nullptr);
    if (error == PCRE2_ERROR_HEAP_FAILED)
        throw std::bad_alloc();
    if (!code) {
        PCRE2_UCHAR message[200];
        pcre2_get_error_message(error, message, sizeof message);
        problem_ = reinterpret_cast<const char*>(message);
        offset_ = std::min<std::size_t>(where, text.size());
        return;
    }
    code_ = std::shared_ptr<void>(
        code, [](void* each) { pcre2_code_free(static_cast<pcre2_code*>(each)); });
}

Pattern::Match Pattern::find_in(std::string_view text) const {
    auto* code = static_cast<const pcre2_code*>(code_.get());
    MatchMemory memory(kLimits);
    int found = pcre2_match(code,
                            reinterpret_cast<PCRE2_SPTR>(text.data()),
                            text.size(),
                            0,
                            0,
                            memory.data(),
                            memory.limits());
    if (found >= 0)
        return Match::yes;
    if (found == PCRE2_ERROR_NOMEMORY)
        throw std::bad_alloc();
    return found == PCRE2_ERROR_NOMATCH ? Match::no : Match::too_costly;
}

}  // namespace stillroom
