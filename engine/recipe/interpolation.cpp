#include "engine/recipe/interpolation.h"

#include "engine/base/text.h"
#include "engine/recipe/primitive.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace stillroom {
namespace {

constexpr int kMostDepth = 64;

/// Ends parsing; caught in parse_text.
struct Stop {
    InterpolationMistake mistake;
};

/// Not blanks, backslashes, quotes, brackets, ':' and '.'.
bool is_key_character(char c) {
    return std::string_view("\\{}()[]:. \t'\"").find(c) == std::string_view::npos;
}

bool is_argument_character(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("_/-\\+.$%*@?|").find(c) != std::string_view::npos;
}

void add_literal(std::vector<TextPiece>& pieces, std::string_view text) {
    if (text.empty())
        return;
    if (pieces.empty() || pieces.back().interpolation)
        pieces.emplace_back();
    pieces.back().literal += text;
}

class TextReader {
public:
    explicit TextReader(std::string_view text) : text_(text) {}

    /// To the end of the text, or to the closing quote, which is taken.
    std::vector<TextPiece> pieces(char quote) {
        std::vector<TextPiece> out;
        std::size_t open = at_ - 1;
        while (!at_end()) {
            std::size_t slashes = 0;
            while (peek(slashes) == '\\')
                ++slashes;
            at_ += slashes;
            if (quote && peek() == quote) {
                ++at_;
                add_literal(out, std::string(slashes / 2, '\\'));
                if (slashes % 2 == 0)
                    return out;
                add_literal(out, std::string(1, quote));
            } else if (peek() == '$' && peek(1) == '{') {
                add_literal(out, std::string(slashes / 2, '\\'));
                if (slashes % 2 == 1) {
                    add_literal(out, "${");
                    at_ += 2;
                } else {
                    out.push_back({{}, interpolation()});
                }
            } else {
                add_literal(out, std::string(slashes, '\\'));
                std::size_t next = at_;
                while (next < text_.size() && text_[next] != '\\' && text_[next] != '$' &&
                       text_[next] != quote)
                    ++next;
                if (next == at_ && next < text_.size())
                    ++next;  // a '$' that opens nothing
                add_literal(out, text_.substr(at_, next - at_));
                at_ = next;
            }
        }
        if (quote)
            fail(open, open + 1, "the quote that opens here is never closed");
        return out;
    }

private:
    bool at_end() const { return at_ >= text_.size(); }
    char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    void skip_blanks() {
        while (!at_end() && is_blank(peek()))
            ++at_;
    }

    [[noreturn]] void fail(std::size_t begin,
                           std::size_t end,
                           std::string message,
                           std::string hint = {}) const {
        throw Stop{{begin, std::min(end, text_.size()), std::move(message), std::move(hint)}};
    }

    [[noreturn]] void fail_here(std::string_view expected, std::size_t open) const {
        if (at_end())
            fail(open,
                 open + 2,
                 "the '${' that opens here is never closed",
                 "add '}', or write \\${ to mean the characters");
        std::size_t end = at_;
        decode_utf8(text_, end);
        std::string shown = escape_controls(text_.substr(at_, end - at_));
        fail(at_,
             end,
             fmt::format("{} cannot stand here, {} must follow",
                         is_blank(peek()) ? "a blank" : "'" + shown + "'",
                         expected));
    }

    std::shared_ptr<const Interpolation> interpolation() {
        if (++depth_ > kMostDepth)
            fail(at_, at_ + 2, fmt::format("interpolations may be nested {} deep", kMostDepth));
        auto out = std::make_shared<Interpolation>();
        out->begin = at_;
        at_ += 2;
        skip_blanks();
        if (!read_call(*out))
            read_reference(*out);
        out->end = at_;
        --depth_;
        return out;
    }

    /// A name and a ':', or nothing of it is taken. The name is made of identifiers and nested
    /// interpolations with '.' between.
    bool read_call(Interpolation& out) {
        std::size_t start = at_;
        std::vector<TextPiece> name;
        while (true) {
            if (peek() == '$' && peek(1) == '{') {
                name.push_back({{}, interpolation()});
            } else {
                std::size_t length = identifier_length(text_.substr(std::min(at_, text_.size())));
                if (length == 0)
                    break;
                add_literal(name, text_.substr(at_, length));
                at_ += length;
            }
            if (peek() != '.')
                break;
            add_literal(name, ".");
            ++at_;
        }
        std::size_t end = at_;
        skip_blanks();
        if (end == start || peek() != ':' || text_[end - 1] == '.') {
            at_ = start;
            return false;
        }
        ++at_;
        skip_blanks();
        out.is_call = true;
        out.name = std::move(name);
        out.raw_begin = at_;
        if (out.name.size() == 1 && out.name[0].literal == "calc")
            skip_to_close(out.begin);
        else
            read_arguments(out.arguments, '}', out.begin);
        out.raw = std::string(text_.substr(out.raw_begin, at_ - 1 - out.raw_begin));
        return true;
    }

    /// Past the '}' that closes the call; nested interpolations have their own.
    void skip_to_close(std::size_t open) {
        int braces = 1;
        while (!at_end()) {
            char c = text_[at_++];
            braces += c == '{' ? 1 : c == '}' ? -1 : 0;
            if (braces == 0)
                return;
        }
        fail_here("'}'", open);
    }

    PathStep step(std::size_t open) {
        PathStep out;
        if (peek() == '$' && peek(1) == '{') {
            out.nested = interpolation();
            return out;
        }
        std::size_t begin = at_;
        while (!at_end() && is_key_character(peek()))
            ++at_;
        if (at_ == begin) {
            if (peek() == '}' && at_ == open + 2)
                fail(open, at_ + 1, "'${}' names nothing", "write ${KEY}");
            fail_here("a key", open);
        }
        out.key = std::string(text_.substr(begin, at_ - begin));
        return out;
    }

    void read_reference(Interpolation& out) {
        while (peek() == '.') {
            ++out.dots;
            ++at_;
        }
        bool first = true;
        while (true) {
            if (peek() == '[') {
                std::size_t bracket = at_++;
                PathStep inside = step(out.begin);
                inside.bracket = true;
                if (peek() != ']')
                    fail(bracket, bracket + 1, "the '[' that opens here is never closed");
                ++at_;
                out.path.push_back(std::move(inside));
            } else if (first) {
                out.path.push_back(step(out.begin));
            } else if (peek() == '.') {
                ++at_;
                out.path.push_back(step(out.begin));
            } else {
                break;
            }
            first = false;
        }
        skip_blanks();
        if (peek() != '}' || at_end())
            fail_here("'}'", out.begin);
        ++at_;
    }

    /// Comma-separated arguments up to and with the closing character; an empty one is ''.
    void read_arguments(std::vector<ArgumentValue>& out, char close, std::size_t open) {
        skip_blanks();
        if (peek() == close && !at_end()) {
            ++at_;
            return;
        }
        while (true) {
            if (peek() == ',' || peek() == close) {
                ArgumentValue empty;
                empty.form = ArgumentValue::Form::quoted;
                empty.begin = empty.end = at_;
                out.push_back(std::move(empty));
            } else {
                out.push_back(argument(open));
            }
            skip_blanks();
            if (peek() == close && !at_end()) {
                ++at_;
                return;
            }
            if (peek() != ',')
                fail_here(fmt::format("',' or '{}'", close), open);
            ++at_;
            skip_blanks();
        }
    }

    ArgumentValue argument(std::size_t open) {
        if (++depth_ > kMostDepth)
            fail(at_, at_ + 1, fmt::format("arguments may be nested {} deep", kMostDepth));
        ArgumentValue out;
        out.begin = at_;
        char c = peek();
        if (c == '\'' || c == '"') {
            out.form = ArgumentValue::Form::quoted;
            out.quote = c;
            ++at_;
            out.text = pieces(c);
        } else if (c == '[') {
            out.form = ArgumentValue::Form::list;
            ++at_;
            read_arguments(out.items, ']', open);
        } else if (c == '{') {
            out.form = ArgumentValue::Form::map;
            ++at_;
            read_map(out, open);
        } else {
            read_primitive(out, open);
        }
        out.end = at_;
        --depth_;
        return out;
    }

    void read_map(ArgumentValue& out, std::size_t open) {
        skip_blanks();
        if (peek() == '}') {
            ++at_;
            return;
        }
        std::unordered_set<std::string> keys;
        while (true) {
            std::size_t begin = at_;
            std::string key = map_key(open);
            if (!keys.insert(key).second)
                fail(begin, at_, fmt::format("key '{}' stands twice in this map", key));
            skip_blanks();
            if (peek() != ':')
                fail_here("':' and a value", open);
            ++at_;
            skip_blanks();
            out.items.push_back(argument(open));
            out.keys.push_back(std::move(key));
            skip_blanks();
            if (peek() == '}') {
                ++at_;
                return;
            }
            if (peek() != ',')
                fail_here("',' or '}'", open);
            ++at_;
            skip_blanks();
        }
    }

    std::string map_key(std::size_t open) {
        std::string key;
        std::size_t solid = 0;
        while (!at_end() && peek() != ':') {
            bool blank = is_blank(peek());
            bool nested = peek() == '$' && peek(1) == '{';
            if (nested || !(blank || is_argument_character(peek())))
                fail_here("a key and ':'", open);
            if (peek() == '\\' && is_escapable(peek(1)))
                ++at_;
            key.push_back(text_[at_++]);
            if (!blank)
                solid = key.size();
        }
        if (solid == 0)
            fail_here("a key", open);
        key.resize(solid);
        return key;
    }

    void read_primitive(ArgumentValue& out, std::size_t open) {
        std::string blanks;  // kept only if something follows
        auto put = [&](std::string_view text) {
            add_literal(out.text, blanks + std::string(text));
            blanks.clear();
        };
        while (!at_end()) {
            char c = peek();
            if (is_blank(c)) {
                blanks.push_back(c);
                ++at_;
            } else if (c == '$' && peek(1) == '{') {
                put("");
                out.text.push_back({{}, interpolation()});
            } else if (c == ':') {
                std::size_t begin = at_++;
                skip_blanks();
                put(text_.substr(begin, at_ - begin));
            } else if (c == '\\' && is_escapable(peek(1))) {
                out.escaped = true;
                put(text_.substr(at_ + 1, 1));
                at_ += 2;
            } else if (is_argument_character(c)) {
                put(text_.substr(at_++, 1));
            } else {
                break;
            }
        }
        if (!at_end() && std::string_view(",]}").find(peek()) == std::string_view::npos)
            fail(at_,
                 at_ + character_length(),
                 fmt::format("'{}' must be quoted in an argument",
                             escape_controls(text_.substr(at_, character_length()))));
        if (out.text.empty() || at_end())
            fail_here("a value", open);
    }

    std::size_t character_length() const {
        std::size_t end = at_;
        decode_utf8(text_, end);
        return end - at_;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace

const Interpolation* ParsedText::whole() const {
    return pieces.size() == 1 ? pieces[0].interpolation.get() : nullptr;
}

bool ParsedText::plain() const {
    return std::none_of(
        pieces.begin(), pieces.end(), [](const TextPiece& piece) { return piece.interpolation; });
}

ParsedText parse_text(std::string_view text) {
    ParsedText out;
    if (!may_interpolate(text)) {
        add_literal(out.pieces, text);
        return out;
    }
    try {
        out.pieces = TextReader(text).pieces('\0');
    } catch (Stop& stop) {
        out.mistake = std::move(stop.mistake);
    }
    return out;
}

std::optional<std::vector<std::string>> split_path(std::string_view path) {
    std::vector<std::string> out;
    std::size_t at = 0;
    while (at < path.size() || out.empty()) {
        bool bracket = at < path.size() && path[at] == '[';
        if (!bracket && !out.empty() && path[at++] != '.')
            return std::nullopt;
        std::size_t begin = at + (bracket ? 1 : 0);
        std::size_t end = std::min(path.find_first_of(bracket ? "[]" : ".[]", begin), path.size());
        if (end == begin)
            return std::nullopt;
        out.emplace_back(path.substr(begin, end - begin));
        if (bracket && (end == path.size() || path[end] != ']'))
            return std::nullopt;
        at = end + (bracket ? 1 : 0);
    }
    return out;
}

}  // namespace stillroom
