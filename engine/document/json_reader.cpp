#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/document/document.h"
#include "engine/document/encoding.h"
#include "engine/document/key_table.h"

#include <fmt/format.h>

#include <functional>

namespace stillroom {
namespace {

constexpr std::size_t kDeepest = 256;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// RFC 8259 and nothing more, in one pass. The first slip ends it; equal keys are all collected.
class JsonReader {
public:
    JsonReader(const Source& source, const Limits& limits, Diagnostics& diagnostics)
        : source_(source),
          text_(source.text()),
          limits_(limits),
          diagnostics_(diagnostics) {}

    NodePtr read() {
        NodePtr root = value(0);
        skip_space();
        if (root && at_ < text_.size())
            return refuse(at_, "text behind the value", "a file holds one JSON value");
        return failed_ ? nullptr : root;
    }

private:
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    void skip_space() {
        while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')
            ++at_;
    }

    NodePtr refuse(std::size_t at, std::string message, std::string hint = "") {
        failed_ = true;
        diagnostics_.error(code::kJson, source_.span(at, at + 1), std::move(message))
            .with_hint(std::move(hint));
        return nullptr;
    }

    NodePtr unexpected(std::string_view wanted) {
        if (at_ >= text_.size())
            return refuse(at_, fmt::format("the text ends where {} is expected", wanted));
        std::size_t end = at_;
        decode_utf8(text_, end);
        std::string hint;
        if (peek() == '\'')
            hint = "JSON quotes with '\"'";
        else if (peek() == '/' || peek() == '#')
            hint = "JSON has no comments";
        else if (peek() == ']' || peek() == '}')
            hint = "is there a ',' too many?";
        return refuse(at_,
                      fmt::format("{} is expected, not '{}'", wanted, text_.substr(at_, end - at_)),
                      std::move(hint));
    }

    bool count(std::size_t at) {
        if (++nodes_ <= limits_.nodes)
            return true;
        failed_ = true;
        diagnostics_
            .error(code::kTooManyNodes,
                   source_.span(at, at + 1),
                   fmt::format("more than {} keys and values", limits_.nodes))
            .with_hint("raise `--limit nodes=N`");
        return false;
    }

    NodePtr value(std::size_t depth) {
        skip_space();
        if (!count(at_))
            return nullptr;
        char c = peek();
        if (c == '{' || c == '[') {
            if (depth < kDeepest)
                return collection(depth + 1);
            failed_ = true;
            diagnostics_.error(code::kTooDeep,
                               source_.span(at_, at_ + 1),
                               fmt::format("nested deeper than {} levels", kDeepest));
            return nullptr;
        }
        if (c == '"')
            return string();
        if (c == '-' || is_digit(c))
            return number();
        return word();
    }

    std::shared_ptr<Node> make(Kind kind, std::size_t begin) {
        auto node = std::make_shared<Node>();
        node->kind = kind;
        node->where = source_.span(begin, at_);
        return node;
    }

    NodePtr word() {
        struct Word {
            std::string_view text;
            Kind kind;
        };
        for (Word word :
             {Word{"null", Kind::null}, {"true", Kind::boolean}, {"false", Kind::boolean}})
            if (text_.substr(at_, word.text.size()) == word.text) {
                std::size_t begin = at_;
                at_ += word.text.size();
                auto node = make(word.kind, begin);
                node->text = word.text;
                return node;
            }
        return unexpected("a value");
    }

    NodePtr number() {
        std::size_t begin = at_;
        bool integral = true;
        auto digits = [&] {
            std::size_t first = at_;
            while (is_digit(peek()))
                ++at_;
            return at_ > first;
        };
        if (peek() == '-')
            ++at_;
        if (peek() == '0' && is_digit(at_ + 1 < text_.size() ? text_[at_ + 1] : '\0'))
            return refuse(at_, "a number with a leading zero");
        if (!digits())
            return unexpected("a digit");
        if (peek() == '.') {
            integral = false;
            ++at_;
            if (!digits())
                return unexpected("a digit");
        }
        if (peek() == 'e' || peek() == 'E') {
            integral = false;
            ++at_;
            if (peek() == '+' || peek() == '-')
                ++at_;
            if (!digits())
                return unexpected("a digit");
        }
        auto node = make(integral ? Kind::integer : Kind::number, begin);
        node->text = text_.substr(begin, at_ - begin);
        return node;
    }

    /// At the opening quote.
    NodePtr string() {
        std::size_t begin = at_++;
        std::string out;
        for (;;) {
            std::size_t run = at_;
            while (run < text_.size() && text_[run] != '"' && text_[run] != '\\' &&
                   static_cast<unsigned char>(text_[run]) >= 0x20)
                ++run;
            out += text_.substr(at_, run - at_);
            at_ = run;
            if (peek() == '"')
                break;
            if (peek() == '\\') {
                if (!escape(out))
                    return nullptr;
                continue;
            }
            if (at_ >= text_.size())
                return refuse(begin, "this quote is never closed");
            return refuse(
                at_, "a control character inside quotes", "write a line end as \\n, a tab as \\t");
        }
        ++at_;
        auto node = make(Kind::string, begin);
        node->style = Style::double_quoted;
        node->text = std::move(out);
        return node;
    }

    /// Four hexadecimal digits at `at`.
    std::optional<char32_t> four_digits(std::size_t at) const {
        char32_t value = 0;
        for (std::size_t i = at; i < at + 4; ++i) {
            char c = i < text_.size() ? text_[i] : '\0';
            bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
            if (!letter && !is_digit(c))
                return std::nullopt;
            value = value * 16 + static_cast<char32_t>(letter ? (c | 0x20) - 'a' + 10 : c - '0');
        }
        return value;
    }

    bool escape(std::string& out) {
        constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
        char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
        std::size_t found = c == '\0' ? std::string_view::npos : kNames.find(c);
        if (found != std::string_view::npos) {
            out += kMeanings[found];
            at_ += 2;
            return true;
        }
        if (c != 'u')
            return refuse(at_, "a backslash without a meaning", "write '\\\\' for a backslash") !=
                   nullptr;
        std::optional<char32_t> first = four_digits(at_ + 2);
        if (!first)
            return refuse(at_, "'\\u' needs 4 hexadecimal digits") != nullptr;
        std::size_t next = at_ + 6;
        if (*first >= 0xD800 && *first < 0xDC00 && text_.substr(next, 2) == "\\u") {
            std::optional<char32_t> low = four_digits(next + 2);
            if (low && *low >= 0xDC00 && *low < 0xE000) {
                *first = 0x10000 + ((*first - 0xD800) << 10) + (*low - 0xDC00);
                next += 6;
            }
        }
        if (*first >= 0xD800 && *first < 0xE000)
            return refuse(at_, "half of a surrogate pair") != nullptr;
        append_utf8(out, *first);
        at_ = next;
        return true;
    }

    NodePtr collection(std::size_t depth) {
        std::size_t begin = at_++;
        bool is_map = text_[begin] == '{';
        char close = is_map ? '}' : ']';
        auto node = make(is_map ? Kind::map : Kind::list, begin);
        node->style = Style::flow;
        KeyTable keys;
        skip_space();
        bool more = peek() != close;
        while (more) {
            if (is_map ? !entry(*node, keys, depth) : !item(*node, depth))
                return nullptr;
            skip_space();
            if (peek() == ',') {
                ++at_;
                continue;
            }
            if (at_ >= text_.size())
                return refuse(begin, fmt::format("this '{}' is never closed", text_[begin]));
            if (peek() != close)
                return unexpected(fmt::format("',' or '{}'", close));
            more = false;
        }
        ++at_;
        node->where = source_.span(begin, at_);
        return node;
    }

    bool item(Node& list, std::size_t depth) {
        list.items.push_back(value(depth));
        return list.items.back() != nullptr;
    }

    bool entry(Node& map, KeyTable& keys, std::size_t depth) {
        skip_space();
        if (peek() != '"')
            return unexpected("a key in double quotes") != nullptr;
        NodePtr key = count(at_) ? string() : nullptr;
        if (!key)
            return false;
        skip_space();
        if (peek() != ':')
            return unexpected("':'") != nullptr;
        ++at_;
        std::size_t equal = keys.find(map.entries, key->text);
        if (equal != KeyTable::kNone) {
            failed_ = true;
            diagnostics_
                .error(code::kDuplicateKey,
                       key->where,
                       fmt::format("key '{}' stands twice in one map", shorten(key->text, 60)))
                .note(map.entries[equal].where, "it stands here first");
            if (++duplicates_ == kMostDuplicates)
                return false;
            return value(depth) != nullptr;
        }
        NodePtr found = value(depth);
        if (!found)
            return false;
        map.entries.push_back({key->text, key->where, std::move(found), true});
        return true;
    }

    static constexpr std::size_t kMostDuplicates = 100;

    const Source& source_;
    std::string_view text_;
    const Limits& limits_;
    Diagnostics& diagnostics_;
    std::size_t at_ = skip_byte_order_mark(text_);
    std::size_t nodes_ = 0;
    std::size_t duplicates_ = 0;
    bool failed_ = false;
};

}  // namespace

Document read_json(const Source& source, const Limits& limits, Diagnostics& diagnostics) {
    Document document;
    document.source = &source;
    if (source.text().size() > limits.file_bytes) {
        diagnostics.error(
            code::kTooLarge,
            source.span(0, 0),
            fmt::format(
                "the text has {} bytes, more than {}", source.text().size(), limits.file_bytes));
        return document;
    }
    if (check_encoding(source, diagnostics))
        document.root = JsonReader(source, limits, diagnostics).read();
    return document;
}

}  // namespace stillroom
