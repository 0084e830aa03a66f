#include "plugins/lm/config/config_parser.h"

#include "engine/base/error.h"
#include "engine/base/json_escape.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_set>

namespace stillroom::lm {
namespace {

using Kind = ConfigValue::Kind;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Python's three words, as numbers.
std::optional<double> named_number(std::string_view word) {
    if (word == "NaN")
        return std::numeric_limits<double>::quiet_NaN();
    if (word == "Infinity")
        return kInfinity;
    if (word == "-Infinity")
        return -kInfinity;
    return {};
}

/// Recursive descent, as deep as ConfigText::kDeepest.
class Parser {
public:
    Parser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

    ConfigValue document() {
        if (text_.size() > ConfigText::kLimit)
            throw Error(
                {.file = name_, .line = 0, .column = 0},
                fmt::format(
                    "{}: {} bytes, over the limit of {}", name_, text_.size(), ConfigText::kLimit))
                .exit_code(kExitBadInput);
        if (std::optional<std::size_t> bad = find_invalid_utf8(text_)) {
            at_ = *bad;
            refuse("this is no UTF-8");
        }
        ConfigValue root = value(0);
        if (!root.is_map()) {
            at_ = root.begin;
            refuse("expected a map");
        }
        skip_blanks();
        if (at_ != text_.size())
            refuse("there is something behind the value");
        return root;
    }

private:
    [[noreturn]] void refuse(std::string_view why) const {
        throw Error(position_in(text_, at_, name_), fmt::format("no JSON: {}", why))
            .exit_code(kExitBadInput);
    }

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool digit() const { return peek() >= '0' && peek() <= '9'; }

    void skip_blanks() {
        while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t')
            ++at_;
    }

    bool take(char c) {
        skip_blanks();
        if (peek() != c)
            return false;
        ++at_;
        return true;
    }

    void need(char c) {
        if (!take(c))
            refuse(fmt::format("expected '{}'", c));
    }

    bool word(std::string_view expected) {
        if (!text_.substr(at_).starts_with(expected))
            return false;
        at_ += expected.size();
        return true;
    }

    ConfigValue value(int depth) {
        if (depth > ConfigText::kDeepest)
            refuse(fmt::format("nested deeper than {}", ConfigText::kDeepest));
        if (++values_ > ConfigText::kMostValues)
            refuse(fmt::format("over {} values", ConfigText::kMostValues));
        skip_blanks();
        ConfigValue out;
        out.begin = at_;
        switch (peek()) {
            case '{':
                read_map(out, depth);
                break;
            case '[':
                read_list(out, depth);
                break;
            case '"':
                out.kind = Kind::string;
                out.string = string();
                break;
            default:
                read_word(out);
        }
        out.end = at_;
        return out;
    }

    void read_map(ConfigValue& out, int depth) {
        out.kind = Kind::map;
        std::unordered_set<std::string> keys;
        ++at_;
        if (take('}'))
            return;
        do {
            skip_blanks();
            ConfigValue::Member member;
            member.begin = at_;
            if (peek() != '"')
                refuse("expected a key in quotes");
            member.key = string();
            if (!keys.insert(member.key).second) {
                at_ = member.begin;
                refuse(fmt::format("the key '{}' stands twice",
                                   shorten(escape_controls(member.key), 80)));
            }
            need(':');
            member.value = value(depth + 1);
            out.members.push_back(std::move(member));
        } while (take(','));
        need('}');
        tagged_number(out);
    }

    /// What transformers 5 writes for a number that JSON has no word for.
    static void tagged_number(ConfigValue& out) {
        if (out.members.size() != 1 || out.members[0].key != "__float__" ||
            out.members[0].value.kind != Kind::string)
            return;
        if (std::optional<double> number = named_number(out.members[0].value.string)) {
            out.kind = Kind::number;
            out.number = *number;
            out.members.clear();
        }
    }

    void read_list(ConfigValue& out, int depth) {
        out.kind = Kind::list;
        ++at_;
        if (take(']'))
            return;
        do
            out.items.push_back(value(depth + 1));
        while (take(','));
        need(']');
    }

    void read_word(ConfigValue& out) {
        if (word("null"))
            return;
        if (word("true") || word("false")) {
            out.kind = Kind::boolean;
            out.boolean = text_[out.begin] == 't';
            return;
        }
        for (std::string_view name : {"NaN", "Infinity", "-Infinity"}) {
            if (word(name)) {
                out.kind = Kind::number;
                out.number = *named_number(name);
                return;
            }
        }
        read_number(out);
    }

    void digits() {
        if (!digit())
            refuse("expected a value");
        while (digit())
            ++at_;
    }

    void read_number(ConfigValue& out) {
        out.kind = Kind::integer;
        if (peek() == '-')
            ++at_;
        bool zero = peek() == '0';
        std::size_t first = at_;
        digits();
        if (zero && at_ - first > 1) {
            at_ = first;
            refuse("a number begins with 0");
        }
        if (peek() == '.') {
            ++at_;
            digits();
            out.kind = Kind::number;
        }
        if (peek() == 'e' || peek() == 'E') {
            ++at_;
            if (peek() == '+' || peek() == '-')
                ++at_;
            digits();
            out.kind = Kind::number;
        }
        std::string_view spelled = text_.substr(out.begin, at_ - out.begin);
        const char* end = spelled.data() + spelled.size();
        auto [after, error] = std::from_chars(spelled.data(), end, out.number);
        if (error == std::errc::result_out_of_range) {
            // Too small is nothing, too large is Python's infinity.
            std::size_t e = spelled.find_first_of("eE");
            bool small = e != std::string_view::npos && spelled[e + 1] == '-';
            out.number = small ? 0 : spelled[0] == '-' ? -kInfinity : kInfinity;
        }
        if (out.kind == Kind::integer &&
            std::from_chars(spelled.data(), end, out.integer).ec != std::errc())
            out.kind = Kind::number;  // over 64 bits: no count is
    }

    std::string string() {
        std::string out;
        ++at_;
        while (true) {
            if (at_ == text_.size())
                refuse("a string has no end");
            char c = text_[at_];
            if (static_cast<unsigned char>(c) < 0x20)
                refuse("a control character in a string");
            ++at_;
            if (c == '"')
                return out;
            if (c == '\\')
                escape(out);
            else
                out += c;
        }
    }

    void escape(std::string& out) {
        if (std::string_view why = read_json_escape(text_, at_, out); !why.empty())
            refuse(why);
    }

    std::string_view text_;
    const std::string& name_;
    std::size_t at_ = 0, values_ = 0;
};

}  // namespace

ConfigValue parse_config(std::string_view text, const std::string& name) {
    return Parser(text, name).document();
}

Position position_in(std::string_view text, std::size_t offset, const std::string& name) {
    Position out{.file = name, .line = 1, .column = 1};
    for (char c : text.substr(0, offset)) {
        bool inside = (static_cast<unsigned char>(c) & 0xC0) == 0x80;  // of a longer code point
        out.line += c == '\n';
        out.column = c == '\n' ? 1 : out.column + !inside;
    }
    return out;
}

}  // namespace stillroom::lm
