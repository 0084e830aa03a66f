#include "engine/run/nodelist.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace stillroom {
namespace {

constexpr std::size_t kLongestName = 253;  // of a host, by DNS
constexpr std::size_t kMostDigits = 9;     // of a number: nothing overflows
constexpr int kMostTasks = 1'000'000;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_name(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
}

/// Reads one list from left to right.
class Cursor {
public:
    Cursor(std::string_view text, std::string_view variable) : text_(text), variable_(variable) {}

    bool done() const { return at_ == text_.size(); }
    char peek() const { return done() ? '\0' : text_[at_]; }
    bool take(char c) {
        if (peek() != c || done())
            return false;
        at_++;
        return true;
    }
    void expect(char c) {
        if (!take(c))
            fail(fmt::format("'{}' is missing", c));
    }
    template <class Accept>
    std::string_view take_while(Accept accept) {
        std::size_t start = at_;
        while (!done() && accept(peek()))
            at_++;
        return text_.substr(start, at_ - start);
    }

    struct Number {
        std::uint64_t value = 0;
        std::size_t width = 0;  ///< digits as written
    };
    Number number() {
        std::string_view digits = take_while(is_digit);
        if (digits.empty())
            fail("a number is missing");
        if (digits.size() > kMostDigits)
            fail(fmt::format(
                "a number has {} digits, at most {} are read", digits.size(), kMostDigits));
        Number read{0, digits.size()};
        std::from_chars(digits.data(), digits.data() + digits.size(), read.value);
        return read;
    }

    [[noreturn]] void fail(const std::string& why) const {
        throw Error({},
                    fmt::format("{}='{}' cannot be read at character {}: {}",
                                variable_,
                                escape_controls(shorten(text_, 80)),
                                at_ + 1,
                                why))
            .hint("Slurm writes it as n[1-3,07-09],gpu5 and 2(x3),1")
            .exit_code(kExitUsage);
    }

private:
    std::string_view text_;
    std::string_view variable_;
    std::size_t at_ = 0;
};

/// The texts that one bracket stands for: 07-09 keeps its zeros.
std::vector<std::string> read_bracket(Cursor& cursor) {
    std::vector<std::string> parts;
    do {
        Cursor::Number first = cursor.number();
        Cursor::Number last = cursor.take('-') ? cursor.number() : first;
        if (last.value < first.value)
            cursor.fail(fmt::format("the range {}-{} is empty", first.value, last.value));
        if (last.value - first.value >= kMostHosts - parts.size())
            cursor.fail(fmt::format("it names more than {} hosts", kMostHosts));
        for (std::uint64_t value = first.value; value <= last.value; value++)
            parts.push_back(fmt::format("{:0{}}", value, first.width));
    } while (cursor.take(','));
    cursor.expect(']');
    return parts;
}

/// One name, each of its brackets counted out, the last one fastest.
std::vector<std::string> read_host(Cursor& cursor, std::size_t most) {
    std::vector<std::string> names = {""};
    bool empty = true;
    while (!cursor.done() && cursor.peek() != ',') {
        std::vector<std::string> parts;
        if (cursor.take('['))
            parts = read_bracket(cursor);
        else
            parts.emplace_back(cursor.take_while(is_name));
        if (parts[0].empty())
            cursor.fail("no host's name holds this character");
        if (parts.size() > most / names.size())
            cursor.fail(fmt::format("it names more than {} hosts", kMostHosts));
        std::vector<std::string> longer;
        longer.reserve(names.size() * parts.size());
        for (const std::string& name : names)
            for (const std::string& part : parts) {
                if (name.size() + part.size() > kLongestName)
                    cursor.fail(fmt::format("a name is longer than {} characters", kLongestName));
                longer.push_back(name + part);
            }
        names = std::move(longer);
        empty = false;
    }
    if (empty)
        cursor.fail("a host is missing");
    return names;
}

}  // namespace

std::vector<std::string> read_node_list(std::string_view text, std::string_view variable) {
    Cursor cursor(text, variable);
    std::vector<std::string> hosts;
    do {
        std::size_t room = kMostHosts - hosts.size();
        if (room == 0)
            cursor.fail(fmt::format("it names more than {} hosts", kMostHosts));
        for (std::string& host : read_host(cursor, room))
            hosts.push_back(std::move(host));
    } while (cursor.take(','));
    return hosts;
}

std::vector<int> read_task_counts(std::string_view text, std::string_view variable) {
    Cursor cursor(text, variable);
    std::vector<int> counts;
    do {
        std::uint64_t tasks = cursor.number().value;
        if (tasks > static_cast<std::uint64_t>(kMostTasks))
            cursor.fail(fmt::format("{} tasks on a host, at most {} are read", tasks, kMostTasks));
        std::uint64_t times = 1;
        if (cursor.take('(')) {
            cursor.expect('x');
            times = cursor.number().value;
            cursor.expect(')');
        }
        if (times == 0)
            cursor.fail("a count that is repeated 0 times");
        if (times > kMostHosts - counts.size())
            cursor.fail(fmt::format("it counts more than {} hosts", kMostHosts));
        counts.insert(counts.end(), times, static_cast<int>(tasks));
    } while (cursor.take(','));
    if (!cursor.done())
        cursor.fail("',' is missing");
    return counts;
}

}  // namespace stillroom
