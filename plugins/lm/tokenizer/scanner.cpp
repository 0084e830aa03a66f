#include "plugins/lm/tokenizer/scanner.h"

#include "plugins/lm/tokenizer/unicode.h"

#include <algorithm>
#include <array>
#include <optional>

// Every scanner is a function from a text and a place to the end of the match there: the
// alternatives of its pattern by hand, in their order, each with the little backtracking that it
// needs. Families differ by parameters, not by code, where they can.

namespace stillroom::lm {
namespace {

using namespace unicode;

constexpr std::size_t kNoMatch = static_cast<std::size_t>(-1);

constexpr auto kAscii = [] {
    std::array<std::uint16_t, 128> out{};
    for (unsigned c = 0; c < 128; ++c) {
        bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
        bool number = c >= '0' && c <= '9', space = c == ' ' || (c >= 9 && c <= 13);
        bool symbol = c == '$' || c == '+' || c == '<' || c == '=' || c == '>' || c == '^' ||
                      c == '`' || c == '|' || c == '~';
        bool sign = c > 32 && c < 127 && !upper && !lower && !number;
        out[c] = static_cast<std::uint16_t>((upper ? kUpper : 0) | (lower ? kLower : 0) |
                                            (number ? kNumeric : 0) | (number ? kNumber : 0) |
                                            (space ? kSpace : 0) | (sign && symbol ? kSymbol : 0) |
                                            (sign && !symbol ? kPunctuation : 0) |
                                            (upper || lower || number || c == '_' ? kWord : 0));
    }
    return out;
}();

/// A text with the questions that patterns ask.
struct Reader {
    std::string_view text;
    const Unicode& table;

    explicit Reader(std::string_view t) : text(t), table(Unicode::get()) {}

    std::size_t size() const { return text.size(); }
    unsigned char byte(std::size_t at) const { return static_cast<unsigned char>(text.data()[at]); }

    /// Bits of the code point at `at`, and where the next begins. Nothing at the end of the text.
    [[gnu::always_inline]] std::uint16_t bits(std::size_t at, std::size_t& next) const {
        if (at >= text.size()) {
            next = at;
            return 0;
        }
        if (byte(at) < 0x80) {
            next = at + 1;
            return kAscii[byte(at)];
        }
        if (std::uint16_t all = table.bits_of_all(byte(at), byte(at + 1));
            all != Unicode::kDiffer) {
            next = at + (byte(at) < 0xE0 ? 2 : byte(at) < 0xF0 ? 3 : 4);
            return all;
        }
        int length = 0;
        char32_t c = code_point(text.data() + at, length);
        next = at + static_cast<std::size_t>(length);
        return table.bits(c);
    }
    bool is(std::size_t at, std::uint16_t any_of) const {
        std::size_t next = 0;
        return (bits(at, next) & any_of) != 0;
    }
    bool newline(std::size_t at) const {
        return at < text.size() && (text[at] == '\n' || text[at] == '\r');
    }

    std::size_t run(std::size_t at, std::uint16_t any_of) const {
        for (std::size_t next = at; at < text.size() && (bits(at, next) & any_of); at = next) {
        }
        return at;
    }
    /// The run of what has none of the bits.
    std::size_t run_without(std::size_t at, std::uint16_t none_of) const {
        for (std::size_t next = at; at < text.size() && !(bits(at, next) & none_of); at = next) {
        }
        return at;
    }
    std::size_t run_upto(std::size_t at, std::uint16_t any_of, int most) const {
        for (std::size_t next = at; most-- > 0 && at < text.size() && (bits(at, next) & any_of);
             at = next) {
        }
        return at;
    }
};

/// 's 't 're 've 'm 'll 'd at `at`; the end, or `at` where there is none.
std::size_t contraction(const Reader& in, std::size_t at, bool any_case) {
    if (at + 1 >= in.size() || in.text[at] != '\'')
        return at;
    auto letter = [&](std::size_t i) {
        unsigned char c = i < in.size() ? in.byte(i) : 0;
        return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
    };
    char first = letter(at + 1), second = letter(at + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd')
        return at + 2;
    if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
        (first == 'l' && second == 'l'))
        return at + 3;
    if (any_case && in.byte(at + 1) == 0xC5 && at + 2 < in.size() && in.byte(at + 2) == 0xBF)
        return at + 3;  // U+017F, whose capital is S
    return at;
}

/// `\s+(?!\S)|\s+`: all white space at the end, else all but its last character.
std::size_t blanks(const Reader& in, std::size_t at, std::size_t run_end) {
    if (run_end == in.size())
        return run_end;
    int length = 0;
    code_point_before(in.text.data() + run_end, length);
    std::size_t last = run_end - static_cast<std::size_t>(length);
    return last > at ? last : run_end;
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+`
std::size_t lines_or_blanks(const Reader& in, std::size_t at) {
    std::size_t end = in.run(at, kSpace);
    for (std::size_t i = end; i > at; --i)
        if (in.newline(i - 1))
            return i;
    return blanks(in, at, end);
}

/// A pattern without gaps.
class Covering : public Scanner {
public:
    bool covers() const override { return true; }
    bool next(std::string_view text, std::size_t from, Match& match) const override {
        if (from >= text.size())
            return false;
        match = {from, advance(text, from)};
        return true;
    }
};

/// One whose words are found many at a time.
class ManyAtOnce : public Covering {
public:
    std::size_t words(std::string_view text,
                      std::size_t at,
                      std::uint32_t* ends,
                      std::size_t most) const final {
        std::size_t count = 0;
        while (count < most && at < text.size()) {
            std::size_t more = find_words(text, at, rules_, tier_, ends + count, most - count);
            count += more;
            if (more > 0)
                at = ends[count - 1];
            else
                ends[count++] = static_cast<std::uint32_t>(at = advance(text, at));
        }
        return count;
    }

protected:
    ManyAtOnce(WordTier tier, WordRules rules) : tier_(tier), rules_(rules) {}

private:
    WordTier tier_;
    WordRules rules_;
};

/// `apart`: behind a cut at each digit.
class Gpt2 final : public ManyAtOnce {
public:
    Gpt2(WordTier tier, bool apart)
        : ManyAtOnce(tier, {.lines = false, .digits_apart = apart, .digits = apart ? 1 : 0}),
          apart_(apart ? kNumeric : std::uint16_t{0}) {}

    std::size_t advance(std::string_view text, std::size_t at) const override {
        Reader in(text);
        std::size_t next = 0;
        if (in.bits(at, next) & apart_)
            return next;
        if (std::size_t end = contraction(in, at, false); end != at)
            return end;
        std::size_t body = at + (text[at] == ' ');
        std::uint16_t bits = in.bits(body, next);
        if (body < text.size() && !(bits & (kSpace | apart_))) {
            if (bits & kLetter)
                return in.run(next, kLetter);
            if (bits & kNumber)
                return numbers(in, next);
            return in.run_without(next, kSpace | kLetter | kNumber | apart_);
        }
        std::size_t end = in.run(at, kSpace);
        return in.is(end, apart_) ? end : blanks(in, at, end);
    }

private:
    std::size_t numbers(const Reader& in, std::size_t at) const {
        for (std::size_t next = at; at < in.size(); at = next) {
            std::uint16_t bits = in.bits(at, next);
            if (!(bits & kNumber) || (bits & apart_))
                break;
        }
        return at;
    }

    std::uint16_t apart_;
};

/// cl100k, Llama 3 and Qwen: `digits` at once; marks may count as letters.
class Cl100k final : public ManyAtOnce {
public:
    Cl100k(WordTier tier, int digits, std::uint16_t letters)
        : ManyAtOnce(tier, {.digits = digits, .letters = letters}),
          digits_(digits),
          letters_(letters) {}

    std::size_t advance(std::string_view text, std::size_t at) const override {
        Reader in(text);
        std::size_t next = 0, after = 0;
        if (std::size_t end = contraction(in, at, true); end != at)
            return end;
        std::uint16_t bits = in.bits(at, next);
        if (bits & letters_)
            return in.run(next, letters_);
        if (bits & kNumber)
            return in.run_upto(at, kNumber, digits_);
        if (!in.newline(at) && (in.bits(next, after) & letters_))
            return in.run(after, letters_);
        std::size_t body = text[at] == ' ' ? next : at;
        if (body < text.size() && !in.is(body, kSpace | letters_ | kNumber)) {
            std::size_t end = in.run_without(body, kSpace | letters_ | kNumber);
            while (in.newline(end))
                ++end;
            return end;
        }
        return lines_or_blanks(in, at);
    }

private:
    int digits_;
    std::uint16_t letters_;
};

/// o200k and Tekken: words by case.
class O200k final : public ManyAtOnce {
public:
    O200k(WordTier tier, int digits, bool contractions)
        : ManyAtOnce(
              tier,
              {.digits = digits,
               .cases = true,
               .slashes = true,
               .contractions = contractions ? Contractions::ends_of_words : Contractions::no}),
          digits_(digits),
          contractions_(contractions) {}

    std::size_t advance(std::string_view text, std::size_t at) const override {
        Reader in(text);
        std::size_t next = 0;
        std::uint16_t bits = in.bits(at, next);
        if (std::size_t end = word(in, at, next, bits); end != kNoMatch)
            return contractions_ ? contraction(in, end, true) : end;
        if (bits & kNumber)
            return in.run_upto(at, kNumber, digits_);
        std::size_t body = text[at] == ' ' ? next : at;
        if (body < text.size() && !in.is(body, kSpace | kLetter | kNumber)) {
            std::size_t end = in.run_without(body, kSpace | kLetter | kNumber);
            while (in.newline(end) || (end < text.size() && text[end] == '/'))
                ++end;
            return end;
        }
        return lines_or_blanks(in, at);
    }

private:
    static constexpr std::uint16_t kCapital = kUpper | kOther | kMark;
    static constexpr std::uint16_t kSmall = kLower | kOther | kMark;

    /// `[^\r\n\p{L}\p{N}]?` in front, then small(), else capital().
    static std::size_t word(const Reader& in,
                            std::size_t at,
                            std::size_t next,
                            std::uint16_t bits) {
        bool may_lead = !in.newline(at) && !(bits & (kLetter | kNumber));
        if (!(bits & (kLetter | kMark)) && !(may_lead && in.is(next, kLetter | kMark)))
            return kNoMatch;
        for (auto body : {small, capital}) {
            std::size_t end = may_lead ? body(in, next) : kNoMatch;
            if (end == kNoMatch)
                end = body(in, at);
            if (end != kNoMatch)
                return end;
        }
        return kNoMatch;
    }

    /// `[capital]*[small]+`, which may have to give back what is both.
    static std::size_t small(const Reader& in, std::size_t at) {
        std::size_t both = kNoMatch, next = at;
        while (at < in.size()) {
            std::uint16_t bits = in.bits(at, next);
            if (!(bits & kCapital))
                break;
            if (bits & kSmall)
                both = next;
            at = next;
        }
        std::size_t end = in.run(at, kSmall);
        return end > at ? end : both;
    }

    /// `[capital]+[small]*`
    static std::size_t capital(const Reader& in, std::size_t at) {
        std::size_t end = in.run(at, kCapital);
        return end == at ? kNoMatch : in.run(end, kSmall);
    }

    int digits_;
    bool contractions_;
};

/// Runs of what has one of the bits, at most so many characters each.
class Runs final : public Scanner {
public:
    Runs(WordTier, std::uint16_t any_of, int most) : any_of_(any_of), most_(most) {}

    bool next(std::string_view text, std::size_t from, Match& match) const override {
        Reader in(text);
        match.begin = in.run_without(from, any_of_);
        match.end = in.run_upto(match.begin, any_of_, most_);
        return match.begin < text.size();
    }

private:
    std::uint16_t any_of_;
    int most_;
};

/// `[一-龥぀-ゟ゠-ヿ]`
bool is_han(char32_t c) {
    return (c >= 0x4E00 && c <= 0x9FA5) || (c >= 0x3040 && c <= 0x30FF);
}

bool is_han_at(std::string_view text, std::size_t at) {
    int length = 0;
    return (text[at] & 0x80) != 0 && is_han(code_point(text.data() + at, length));
}

/// Runs of these.
class DeepseekHan final : public Scanner {
public:
    explicit DeepseekHan(WordTier) {}

    bool next(std::string_view text, std::size_t from, Match& match) const override {
        std::size_t at = from, end = 0;
        while (at < text.size() && !inside(text, at, end))
            at = end;
        if (at >= text.size())
            return false;
        match.begin = at;
        while (at < text.size() && inside(text, at, end))
            at = end;
        match.end = at;
        return true;
    }

private:
    static bool inside(std::string_view text, std::size_t at, std::size_t& end) {
        int length = 0;
        char32_t c = code_point(text.data() + at, length);
        end = at + static_cast<std::size_t>(length);
        return is_han(c);
    }
};

/// Where DeepSeek's third pattern looks: at a whole text, or at the part of it between numbers that
/// is Han and kana, or is none. Behind the part there is nothing.
struct Part {
    const Reader& in;
    std::optional<bool> han;

    bool is_here(std::size_t at) const {
        return at < in.size() && (!han || is_han_at(in.text, at) == *han);
    }
    bool is_over(std::size_t at) const { return !is_here(at) || (han && in.is(at, kNumber)); }
    std::uint16_t bits(std::size_t at, std::size_t& next) const {
        std::uint16_t bits = in.bits(at, next);
        return is_here(at) ? bits : std::uint16_t{0};
    }
    std::size_t run(std::size_t at, std::uint16_t any_of) const {
        for (std::size_t next = at; at < in.size() && (bits(at, next) & any_of); at = next) {
        }
        return at;
    }
    bool newline(std::size_t at) const { return is_here(at) && in.newline(at); }
    bool ascii_letter(std::size_t at) const {
        return at < in.size() && ((in.text[at] | 32) >= 'a' && (in.text[at] | 32) <= 'z');
    }
};

/// The third pattern of DeepSeek V3: letters behind ASCII punctuation, then as cl100k without
/// digits. Digits and controls lie between its matches.
std::size_t deepseek_word(const Part& part, std::size_t at) {
    constexpr std::uint16_t kWordy = kLetter | kMark;
    constexpr std::uint16_t kSigns = kPunctuation | kSymbol;
    const Reader& in = part.in;
    std::size_t next = 0, after = 0;
    std::uint16_t bits = part.bits(at, next);
    if (in.byte(at) < 0x80 && (bits & kSigns) && part.ascii_letter(next)) {
        std::size_t end = next;
        while (part.ascii_letter(end))
            ++end;
        return end;
    }
    if (bits & kWordy)
        return part.run(next, kWordy);
    if (!in.newline(at) && !(bits & kSigns) && (part.bits(next, after) & kWordy))
        return part.run(after, kWordy);
    std::size_t body = in.text[at] == ' ' ? next : at;
    if (part.bits(body, after) & kSigns) {
        std::size_t end = part.run(body, kSigns);
        while (part.newline(end))
            ++end;
        return end;
    }
    if (!(bits & kSpace))
        return kNoMatch;
    std::size_t end = in.run(at, kSpace);
    for (std::size_t i = end; i > at; --i)
        if (in.newline(i - 1))
            return i;
    return part.is_over(end) ? end : blanks(in, at, end);
}

class Deepseek final : public Scanner {
public:
    explicit Deepseek(WordTier) {}

    bool next(std::string_view text, std::size_t from, Match& match) const override {
        Reader in(text);
        for (std::size_t at = from, after = 0; at < text.size(); at = after) {
            in.bits(at, after);
            std::size_t end = deepseek_word({in, {}}, at);
            if (end == kNoMatch)
                continue;
            match = {at, end};
            return true;
        }
        return false;
    }
};

/// All three patterns of DeepSeek V3 one behind the other. The first two cut the text into numbers,
/// runs of Han and kana, and what lies between; the third and its gaps divide those, looking at no
/// character outside.
class DeepseekWhole final : public ManyAtOnce {
public:
    explicit DeepseekWhole(WordTier tier)
        : ManyAtOnce(tier,
                     {.digits_apart = true,
                      .digits = 3,
                      .controls_none = true,
                      .contractions = Contractions::no,
                      .letters = 0}) {}

    std::size_t advance(std::string_view text, std::size_t at) const override {
        Reader in(text);
        std::size_t next = 0;
        if (in.bits(at, next) & kNumber)
            return in.run_upto(at, kNumber, 3);
        const Part part{in, is_han_at(text, at)};
        std::size_t gap = at;
        for (; !part.is_over(gap); gap = next) {
            in.bits(gap, next);
            std::size_t end = deepseek_word(part, gap);
            if (end != kNoMatch)
                return gap == at ? end : gap;
        }
        return gap;
    }
};

template <class Made, auto... arguments>
std::unique_ptr<Scanner> make(WordTier tier) {
    return std::make_unique<Made>(tier, arguments...);
}

struct Known {
    std::string_view pattern;
    std::unique_ptr<Scanner> (*make)(WordTier);
};

#define STILLROOM_TAIL R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define STILLROOM_CONTRACTIONS R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
#define STILLROOM_CAPITAL R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define STILLROOM_SMALL R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define STILLROOM_LEAD R"([^\r\n\p{L}\p{N}]?)"

constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

constexpr std::string_view kDeepseekSplits[] = {
    R"(\p{N}{1,3})",
    "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+",
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*)" STILLROOM_TAIL,
};

constexpr Known kKnown[] = {
    {kGpt2, make<Gpt2, false>},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
     make<Gpt2, false>},
    {STILLROOM_CONTRACTIONS "|" STILLROOM_LEAD
                            R"(\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)" STILLROOM_TAIL,
     make<Cl100k, 3, kLetter>},
    {STILLROOM_CONTRACTIONS "|" STILLROOM_LEAD
                            R"(\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)" STILLROOM_TAIL,
     make<Cl100k, 1, kLetter>},
    {STILLROOM_CONTRACTIONS "|" STILLROOM_LEAD
                            R"([\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)" STILLROOM_TAIL,
     make<Cl100k, 1, kLetter | kMark>},
    {STILLROOM_LEAD STILLROOM_CAPITAL "*" STILLROOM_SMALL "+" STILLROOM_CONTRACTIONS
                                      "?|" STILLROOM_LEAD STILLROOM_CAPITAL "+" STILLROOM_SMALL
                                      "*" STILLROOM_CONTRACTIONS
                                      R"(?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" STILLROOM_TAIL,
     make<O200k, 3, true>},
    {STILLROOM_LEAD STILLROOM_CAPITAL "*" STILLROOM_SMALL "+|" STILLROOM_LEAD STILLROOM_CAPITAL
                                      "+" STILLROOM_SMALL
                                      R"(*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" STILLROOM_TAIL,
     make<O200k, 1, false>},
    {kDeepseekSplits[0], make<Runs, kNumber, 3>},
    {R"(\p{N})", make<Runs, kNumber, 1>},
    {kDeepseekSplits[1], make<DeepseekHan>},
    {kDeepseekSplits[2], make<Deepseek>},
};

}  // namespace

const std::string_view kGpt2Pattern = kGpt2;

Scanner::~Scanner() = default;

std::size_t Scanner::advance(std::string_view text, std::size_t from) const {
    Match match;
    return next(text, from, match) ? match.end : text.size();
}

std::size_t Scanner::words(std::string_view text,
                           std::size_t at,
                           std::uint32_t* ends,
                           std::size_t most) const {
    std::size_t count = 0;
    while (count < most && at < text.size())
        ends[count++] = static_cast<std::uint32_t>(at = advance(text, at));
    return count;
}

std::unique_ptr<Scanner> known_scanner(std::string_view pattern, WordTier tier) {
    for (const Known& known : kKnown)
        if (known.pattern == pattern)
            return known.make(tier);
    return nullptr;
}

std::unique_ptr<Scanner> gpt2_scanner_of_single_digits(WordTier tier) {
    return std::make_unique<Gpt2>(tier, true);
}

std::unique_ptr<Scanner> known_scanner(std::span<const std::string> patterns, WordTier tier) {
    if (std::equal(patterns.begin(),
                   patterns.end(),
                   std::begin(kDeepseekSplits),
                   std::end(kDeepseekSplits)))
        return std::make_unique<DeepseekWhole>(tier);
    return nullptr;
}

}  // namespace stillroom::lm
