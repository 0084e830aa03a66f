// Own code rather than simdjson: a row is one or two long strings among short ones, so that nearly
// all time goes into finding the end of a string, which is a dozen lines; and the line that is
// refused must be told with its place and reason.

#include "plugins/lm/data/json_rows.h"

#include "engine/base/json_escape.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace stillroom::lm {
namespace {

constexpr int kDeepest = 256;
constexpr std::size_t kMostNames = 8, kLongestName = 40;  // in a message

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

const char* kind_of(char first) {
    switch (first) {
        case '{':
            return "a map";
        case '[':
            return "a list";
        case 't':
        case 'f':
            return "true or false";
        case 'n':
            return "null";
        default:
            return "a number";
    }
}

}  // namespace

const char* plain_end(const char* at, const char* end) {
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
        __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash));
        ends = _mm_or_si128(ends, _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
        if (int found = _mm_movemask_epi8(ends))
            return at + __builtin_ctz(static_cast<unsigned>(found));
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) > 0x1f)
        ++at;
    return at;
}

JsonRows::JsonRows(std::vector<std::string> keys)
    : keys_(std::move(keys)),
      decoded_(keys_.size()),
      texts_(keys_.size()),
      found_(keys_.size()) {
    for (std::size_t i = 0; i < keys_.size(); ++i)
        wants_.push_back({keys_[i], i});
}

std::optional<RowFault> JsonRows::read(std::string_view line) {
    fault_.reset();
    begin_ = at_ = line.data();
    end_ = at_ + line.size();
    std::fill(found_.begin(), found_.end(), 0);
    if (std::optional<std::size_t> bad = find_invalid_utf8(line)) {
        fail(begin_ + *bad, "this is no UTF-8");
        return std::move(fault_);
    }
    blanks();
    if (at_ == end_ || *at_ != '{') {
        fail(at_, fmt::format("no JSON row: a line is a map, {{\"{}\": \"...\"}}", keys_.front()));
        if (at_ < end_ && *at_ == '[') {
            fault_->hint = "a file that is one JSON list becomes lines by `jq -c '.[]'`";
            fault_->of_kind = true;
        }
        return std::move(fault_);
    }
    if (!object(1, wants_))
        return std::move(fault_);
    blanks();
    if (at_ != end_)
        fail(at_, "something follows the map that a line is");
    else
        all_there();
    return std::move(fault_);
}

bool JsonRows::fail(const char* at, std::string why) {
    if (!fault_)
        fault_ = RowFault{std::move(why), static_cast<std::size_t>(at - begin_), {}, false};
    return false;
}

void JsonRows::blanks() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r' || *at_ == '\n'))
        ++at_;
}

void JsonRows::all_there() {
    auto missing = std::find(found_.begin(), found_.end(), 0);
    if (missing == found_.end())
        return;
    const std::string& key = keys_[static_cast<std::size_t>(missing - found_.begin())];
    fail(begin_, fmt::format("there is no field '{}'", escape_controls(key)));
    std::vector<std::string> names = names_of_line();
    fault_->hint = did_you_mean(key, names);
    if (fault_->hint.empty() && !names.empty()) {
        names.resize(std::min(names.size(), kMostNames));
        fault_->hint = fmt::format("the line has '{}'", fmt::join(names, "', '"));
    }
}

/// Of the line's own map, made safe to show. The line has been read: it is sound.
std::vector<std::string> JsonRows::names_of_line() {
    std::vector<std::string> names;
    names_ = &names;
    at_ = begin_;
    blanks();
    (void)object(1, {});
    names_ = nullptr;
    return names;
}

bool JsonRows::value(int depth) {
    blanks();
    if (at_ == end_)
        return fail(at_, "the line ends inside a value");
    std::string_view ignored;
    switch (*at_) {
        case '"':
            return string(&scratch_, ignored);
        case '{':
            return object(depth + 1, {});
        case '[':
            return array(depth + 1);
        case 't':
            return word("true");
        case 'f':
            return word("false");
        case 'n':
            return word("null");
        default:
            return number();
    }
}

/// The value of a field that was asked for.
bool JsonRows::wanted(std::size_t key) {
    blanks();
    if (at_ == end_)
        return fail(at_, "the line ends inside a value");
    if (found_[key])
        return fail(at_, fmt::format("the field '{}' stands here again", keys_[key]));
    found_[key] = 1;
    if (*at_ == '"')
        return string(&decoded_[key], texts_[key]);
    if (std::string_view("{[tfn-0123456789").find(*at_) == std::string_view::npos)
        return value(1);  // says what is wrong
    fail(at_, fmt::format("the field '{}' is {}, not a string", keys_[key], kind_of(*at_)));
    if (*at_ == '[') {
        fault_->of_kind = true;
        fault_->hint = "a list of messages belongs to fine-tuning: name a field that holds text";
    }
    return false;
}

bool JsonRows::object(int depth, std::span<const Want> wants) {
    if (depth > kDeepest)
        return fail(at_, fmt::format("maps and lists are nested deeper than {}", kDeepest));
    ++at_;
    for (bool first = true;; first = false) {
        blanks();
        if (at_ < end_ && *at_ == '}' && first) {
            ++at_;
            return true;
        }
        if (at_ == end_ || *at_ != '"')
            return fail(at_,
                        at_ == end_ ? "the line ends inside a map"
                                    : "no JSON: the name of a field, in quotes, should stand here");
        std::string_view name;
        if (!string(&name_, name))
            return false;
        blanks();
        if (at_ == end_ || *at_ != ':')
            return fail(at_, "no JSON: ':' should stand here");
        ++at_;
        if (names_ && depth == 1)
            names_->push_back(shorten(escape_controls(name), kLongestName));
        std::vector<Want> below;  // stays empty, and costs nothing, but for dotted keys
        const Want* exact = nullptr;
        for (const Want& want : wants) {
            if (want.rest == name)
                exact = &want;
            else if (want.rest.size() > name.size() && want.rest[name.size()] == '.' &&
                     want.rest.starts_with(name))
                below.push_back({want.rest.substr(name.size() + 1), want.key});
        }
        blanks();
        bool is_map = at_ < end_ && *at_ == '{';
        bool sound = exact                      ? wanted(exact->key)
                     : is_map && !below.empty() ? object(depth + 1, below)
                                                : value(depth);
        if (!sound)
            return false;
        blanks();
        if (at_ == end_)
            return fail(at_, "the line ends inside a map");
        if (*at_ == '}') {
            ++at_;
            return true;
        }
        if (*at_ != ',')
            return fail(at_, "no JSON: ',' or '}' should stand here");
        ++at_;
    }
}

bool JsonRows::array(int depth) {
    if (depth > kDeepest)
        return fail(at_, fmt::format("maps and lists are nested deeper than {}", kDeepest));
    ++at_;
    blanks();
    if (at_ < end_ && *at_ == ']') {
        ++at_;
        return true;
    }
    while (true) {
        if (!value(depth))
            return false;
        blanks();
        if (at_ == end_)
            return fail(at_, "the line ends inside a list");
        if (*at_ == ']') {
            ++at_;
            return true;
        }
        if (*at_ != ',')
            return fail(at_, "no JSON: ',' or ']' should stand here");
        ++at_;
    }
}

/// A view into the line, or of `decoded` where it holds an escape.
bool JsonRows::string(std::string* decoded, std::string_view& text) {
    const char* from = ++at_;
    const char* stop = plain_end(at_, end_);
    bool escaped = stop < end_ && *stop == '\\';
    if (escaped)
        decoded->clear();
    while (stop < end_ && *stop == '\\') {
        decoded->append(from, stop);
        std::size_t at = 1;
        std::string_view rest(stop, static_cast<std::size_t>(end_ - stop));
        if (rest.size() > 1 && rest[1] == 'n') {  // of all escapes the one that texts are full of
            decoded->push_back('\n');
            at = 2;
        } else if (std::string_view why = read_json_escape(rest, at, *decoded); !why.empty()) {
            return fail(stop, fmt::format("no text: {}", why));
        }
        from = stop + at;
        stop = plain_end(from, end_);
    }
    if (stop == end_)
        return fail(end_, "the line ends inside a string");
    if (*stop != '"')
        return fail(stop,
                    fmt::format("a control character (0x{:02x}) stands in a string as it is, "
                                "without an escape",
                                static_cast<unsigned char>(*stop)));
    if (escaped) {
        decoded->append(from, stop);
        text = *decoded;
    } else {
        text = {from, static_cast<std::size_t>(stop - from)};
    }
    at_ = stop + 1;
    return true;
}

bool JsonRows::number() {
    const char* begin = at_;
    auto digits = [this] {
        const char* first = at_;
        while (at_ < end_ && is_digit(*at_))
            ++at_;
        return at_ > first;
    };
    if (*at_ == '-')
        ++at_;
    bool zero = at_ < end_ && *at_ == '0';
    const char* first = at_;
    bool sound = digits() && !(zero && at_ - first > 1);
    if (sound && at_ < end_ && *at_ == '.') {
        ++at_;
        sound = digits();
    }
    if (sound && at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
        ++at_;
        if (at_ < end_ && (*at_ == '+' || *at_ == '-'))
            ++at_;
        sound = digits();
    }
    return sound || fail(begin, "no JSON: a value should stand here");
}

bool JsonRows::word(std::string_view word) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word))
        return fail(at_, "no JSON: a value should stand here");
    at_ += word.size();
    return true;
}

}  // namespace stillroom::lm
