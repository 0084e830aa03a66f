#include "engine/base/json_value.h"

#include "engine/base/error.h"
#include "engine/base/json_escape.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_set>

namespace stillroom {
namespace {

constexpr int kDeepest = 64;

std::string_view kind_name(Json::Kind kind) {
    switch (kind) {
        case Json::Kind::null:
            return "null";
        case Json::Kind::boolean:
            return "true or false";
        case Json::Kind::number:
            return "a number";
        case Json::Kind::string:
            return "text";
        case Json::Kind::list:
            return "a list";
        case Json::Kind::map:
            return "a map";
    }
    return "";
}

std::optional<double> to_double(std::string_view text) {
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range && end == text.data() + text.size()) {
        // Too small is nothing, too large has no double: from_chars says the same of both.
        std::size_t e = text.find_first_of("eE");
        bool small = e != std::string_view::npos && e + 1 < text.size() && text[e + 1] == '-';
        return small ? std::optional<double>(0) : std::nullopt;
    }
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

}  // namespace

/// Recursive descent, as deep as kDeepest.
class JsonParser {
public:
    explicit JsonParser(std::string_view text) : text_(text) {}

    Json document() {
        if (std::optional<std::size_t> bad = find_invalid_utf8(text_)) {
            at_ = *bad;
            refuse("this is no UTF-8");
        }
        Json out = value(0);
        skip_blanks();
        if (at_ != text_.size())
            refuse("there is something behind the value");
        return out;
    }

private:
    [[noreturn]] void refuse(std::string_view why) const {
        int line = 1, column = 1;
        for (char c : text_.substr(0, at_)) {
            line += c == '\n';
            column = c == '\n' ? 1 : column + 1;
        }
        throw Error({}, fmt::format("no JSON: line {}, column {}: {}", line, column, why))
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
        if (peek() != c || at_ == text_.size())
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

    Json value(int depth) {
        if (depth > kDeepest)
            refuse(fmt::format("nested deeper than {}", kDeepest));
        skip_blanks();
        Json out;
        if (peek() == '{') {
            read_map(out, depth);
        } else if (peek() == '[') {
            read_list(out, depth);
        } else if (peek() == '"') {
            out.kind_ = Json::Kind::string;
            out.text_ = string();
        } else if (peek() == '-' || digit()) {
            out.kind_ = Json::Kind::number;
            out.text_ = number();
        } else if (word("true") || word("false")) {
            out.kind_ = Json::Kind::boolean;
            out.boolean_ = text_[at_ - 2] == 'u';
        } else if (!word("null")) {
            refuse("expected a value");
        }
        return out;
    }

    void read_map(Json& out, int depth) {
        out.kind_ = Json::Kind::map;
        need('{');
        if (take('}'))
            return;
        std::unordered_set<std::string> keys;
        do {
            skip_blanks();
            if (peek() != '"')
                refuse("expected a key in quotes");
            std::string key = string();
            if (!keys.insert(key).second)
                refuse(
                    fmt::format("the key '{}' is here twice", shorten(escape_controls(key), 60)));
            need(':');
            out.members_.push_back({std::move(key), value(depth + 1)});
        } while (take(','));
        need('}');
    }

    void read_list(Json& out, int depth) {
        out.kind_ = Json::Kind::list;
        need('[');
        if (take(']'))
            return;
        do
            out.items_.push_back(value(depth + 1));
        while (take(','));
        need(']');
    }

    void digits() {
        if (!digit())
            refuse("expected a digit");
        while (digit())
            ++at_;
    }

    std::string number() {
        std::size_t begin = at_;
        if (peek() == '-')
            ++at_;
        if (peek() == '0')
            ++at_;
        else
            digits();
        if (peek() == '.') {
            ++at_;
            digits();
        }
        if (peek() == 'e' || peek() == 'E') {
            ++at_;
            if (peek() == '+' || peek() == '-')
                ++at_;
            digits();
        }
        return std::string(text_.substr(begin, at_ - begin));
    }

    void escape(std::string& out) {
        if (std::string_view why = read_json_escape(text_, at_, out); !why.empty())
            refuse(why);
    }

    std::string string() {
        std::string out;
        ++at_;
        while (true) {
            if (at_ == text_.size())
                refuse("a string that never ends");
            char c = text_[at_];
            if (static_cast<unsigned char>(c) < 0x20)
                refuse("a control character in a string");
            ++at_;
            if (c == '"')
                return out;
            if (c == '\\')
                escape(out);
            else
                out.push_back(c);
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

Json::Json() = default;
Json::Json(const Json&) = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json&) = default;
Json& Json::operator=(Json&&) noexcept = default;
Json::~Json() = default;

Json Json::parse(std::string_view text, std::size_t limit) {
    if (text.size() > limit)
        throw Error({},
                    fmt::format("{} bytes of JSON are over the limit of {}", text.size(), limit))
            .exit_code(kExitBadInput);
    return JsonParser(text).document();
}

Json Json::of(std::string text) {
    Json out;
    out.kind_ = Kind::string;
    out.text_ = std::move(text);
    return out;
}

void Json::refuse(std::string_view wanted) const {
    throw Error({},
                fmt::format("expected {}, not {}",
                            wanted,
                            kind_ == Kind::string || kind_ == Kind::number
                                ? fmt::format("'{}'", shorten(escape_controls(text_), 60))
                                : text()))
        .exit_code(kExitBadInput);
}

bool Json::boolean() const {
    if (kind_ != Kind::boolean)
        refuse("true or false");
    return boolean_;
}

double Json::number() const {
    if (kind_ == Kind::string && (text_ == "inf" || text_ == "-inf"))
        return text_ == "inf" ? HUGE_VAL : -HUGE_VAL;
    if (kind_ == Kind::string && text_ == "nan")
        return std::numeric_limits<double>::quiet_NaN();
    std::optional<double> value = kind_ == Kind::number ? to_double(text_) : std::nullopt;
    if (!value)
        refuse("a number");
    return *value;
}

std::int64_t Json::integer() const {
    std::int64_t whole = 0;
    auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), whole);
    if (kind_ == Kind::number && error == std::errc() && end == text_.data() + text_.size())
        return whole;
    std::optional<double> value = kind_ == Kind::number ? to_double(text_) : std::nullopt;
    if (!value || std::trunc(*value) != *value || std::abs(*value) >= 0x1p63)
        refuse("a whole number");
    return static_cast<std::int64_t>(*value);
}

const std::string& Json::string() const {
    if (kind_ != Kind::string)
        refuse("text");
    return text_;
}

const std::vector<Json>& Json::list() const {
    if (kind_ != Kind::list)
        refuse("a list");
    return items_;
}

const std::vector<Json::Member>& Json::map() const {
    if (kind_ != Kind::map)
        refuse("a map");
    return members_;
}

const Json* Json::find(std::string_view key) const {
    for (const Member& member : members_)
        if (member.key == key)
            return &member.value;
    return nullptr;
}

const Json& Json::at(std::string_view key) const {
    if (const Json* found = find(key))
        return *found;
    if (kind_ != Kind::map)
        refuse("a map");
    throw Error({}, fmt::format("the key '{}' is missing", key)).exit_code(kExitBadInput);
}

std::string Json::text() const {
    if (kind_ == Kind::string || kind_ == Kind::number)
        return text_;
    if (kind_ == Kind::boolean)
        return boolean_ ? "true" : "false";
    return std::string(kind_name(kind_));
}

}  // namespace stillroom
