#include "engine/recipe/override_key.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/recipe/primitive.h"

#include <fmt/format.h>

namespace stillroom {
namespace {

class KeyReader {
public:
    KeyReader(const Source& source, std::size_t begin)
        : source_(source),
          text_(source.text()),
          begin_(begin),
          at_(begin) {}

    OverrideKey read() {
        OverrideKey out;
        if (peek() == '/') {  // `/data=wikitext`: a group, also where bare keys are a stage's
            ++at_;
            read_group(out);
        } else {
            read_dotted(out.key, out.path);
            if (peek() == '/')
                read_group_rest(out);
            else if (out.path.size() == 1 && is_digit(out.key[0]))
                fail(begin_, at_, fmt::format("a key cannot be the number {} alone", out.key));
        }
        if (peek() == '@')
            read_package(out);
        if (at_ < text_.size() && std::string_view("=+^:-").find(peek()) == std::string_view::npos)
            fail_at_character();
        out.end = at_;
        out.where = source_.span(begin_, at_);
        return out;
    }

private:
    static bool is_digit(char c) { return c >= '0' && c <= '9'; }
    static bool is_name(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
    }

    char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }

    [[noreturn]] void fail(std::size_t begin,
                           std::size_t end,
                           std::string message,
                           std::string hint = {}) const {
        throw OverrideMistake{
            code::kOverrideKey, source_.span(begin, end), std::move(message), std::move(hint)};
    }

    [[noreturn]] void fail_at_character() const {
        char c = peek();
        if (at_ >= text_.size())
            fail(at_, at_, "a key must follow");
        if (is_blank(c))
            fail(at_, at_ + 1, "a key holds no blank, and none stands before '='");
        if (c == '\'' || c == '"')
            fail(at_, at_ + 1, "a key is written without quotes");
        if (c == '/')
            fail(begin_, at_ + 1, "a key has either '/' (a group) or '.' (a value), not both");
        if (c == '.')
            fail(at_, at_ + 1, "a part of the key is missing beside this '.'");
        if (c == '=')
            fail(at_, at_ + 1, "a key must stand before '='", "write KEY=VALUE");
        if (c == '-')
            fail(at_, at_ + 1, "a part of a key cannot begin with '-'");
        if (c == '\\')
            fail(at_, at_ + 1, "a key has no escapes");
        fail(at_,
             at_ + character_length(),
             fmt::format("'{}' cannot stand in a key",
                         escape_controls(text_.substr(at_, character_length()))),
             "a key is made of letters, digits, '_', '-' and '$', with '.' between its parts");
    }

    std::size_t character_length() const {
        std::size_t end = at_;
        decode_utf8(text_, end);
        return end - at_;
    }

    /// A '-' right before '=' belongs to `-=`.
    std::size_t without_operator(std::size_t end) const {
        bool subtracts =
            end > at_ + 1 && text_[end - 1] == '-' && end < text_.size() && text_[end] == '=';
        return subtracts ? end - 1 : end;
    }

    std::string part() {
        std::size_t end = at_;
        if (is_name(peek())) {
            while (end < text_.size() &&
                   (is_name(text_[end]) || is_digit(text_[end]) || text_[end] == '-'))
                ++end;
            end = without_operator(end);
        } else {
            end += unsigned_length(text_.substr(at_));
            if (end == at_)
                fail_at_character();
            if (end < text_.size() && (is_name(text_[end]) || is_digit(text_[end])))
                fail(at_,
                     end + 1,
                     "a part of a key that begins with a digit must be a whole number without "
                     "leading zeros");
        }
        std::string out(text_.substr(at_, end - at_));
        at_ = end;
        return out;
    }

    void add_part(std::string& key, std::vector<std::string>& path, std::string next) {
        key += (path.empty() ? "" : ".") + next;
        path.push_back(std::move(next));
    }

    void read_index(std::string& key, std::vector<std::string>& path) {
        std::size_t open = at_++;
        std::size_t length = unsigned_length(text_.substr(at_));
        if (length == 0 || peek(length) != ']')
            fail(open,
                 at_ + 1,
                 "'[' of a key must hold the place of an item, counted from 0, and ']'",
                 "write key[0], or key.name for a name");
        add_part(key, path, std::string(text_.substr(at_, length)));
        at_ += length + 1;
    }

    void read_dotted(std::string& key, std::vector<std::string>& path) {
        add_part(key, path, part());
        while (peek() == '.' || peek() == '[') {
            if (peek() == '[') {
                read_index(key, path);
                continue;
            }
            ++at_;
            if (peek() == '-' && is_digit(peek(1)))
                fail(at_,
                     at_ + 2,
                     "items are counted from 0, a negative place is not known on the command "
                     "line");
            add_part(key, path, part());
        }
    }

    std::string group_name() {
        std::size_t length = identifier_length(text_.substr(at_));
        if (length == 0) {
            if (peek() == '/')
                fail(at_, at_ + 1, "a part of the group is missing between two '/'");
            fail_at_character();
        }
        std::size_t end = without_operator(at_ + length);
        std::string out(text_.substr(at_, end - at_));
        at_ = end;
        if (peek() == '.' || peek() == '[' || peek() == '$')
            fail(begin_,
                 at_ + 1,
                 peek() == '$' ? "the name of a group holds no '$'"
                               : "a key has either '/' (a group) or '.' (a value), not both");
        return out;
    }

    void read_group(OverrideKey& out) {
        out.key = group_name();
        while (peek() == '/') {
            ++at_;
            out.key += "/" + group_name();
        }
        out.is_group = true;
        out.path = {out.key};
    }

    /// What stood before the '/' was read as a dotted key.
    void read_group_rest(OverrideKey& out) {
        if (out.path.size() > 1)
            fail_at_character();
        if (identifier_length(out.key) != out.key.size())
            fail(begin_,
                 at_,
                 fmt::format("'{}' cannot be the name of a group", out.key),
                 "it is a letter or '_', then letters, digits, '_' and '-'");
        at_ = begin_;
        read_group(out);
    }

    void read_package(OverrideKey& out) {
        ++at_;
        std::string package;
        std::vector<std::string> path;
        bool empty =
            at_ >= text_.size() || peek() == '=' ||
            (std::string_view("+^-:").find(peek()) != std::string_view::npos && peek(1) == '=');
        std::size_t begin = at_;
        if (!empty)
            read_dotted(package, path);
        if (path.size() == 1 && is_digit(package[0]))
            fail(begin, at_, fmt::format("a package cannot be the number {} alone", package));
        if (peek() == ':' && peek(1) != '=')
            fail(at_,
                 at_ + 1,
                 "a package holds no ':'",
                 "renaming a package is an old form: delete the group with ~ and add it with + "
                 "at the new place");
        out.package = std::move(package);
    }

    const Source& source_;
    std::string_view text_;
    std::size_t begin_;
    std::size_t at_;
};

}  // namespace

OverrideKey read_override_key(const Source& source, std::size_t begin) {
    return KeyReader(source, begin).read();
}

}  // namespace stillroom
