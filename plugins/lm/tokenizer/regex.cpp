#include "plugins/lm/tokenizer/regex.h"

#include "engine/base/error.h"
#include "engine/base/match_memory.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr std::size_t kLongestPattern = std::size_t{64} << 10;
constexpr std::uint32_t kMostSteps = 4'000'000;
constexpr std::uint32_t kMostHeapKib = 64 << 10;

constexpr std::string_view kSpaceMembers =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

/// What \s, \w and \h stand for in the reference's engine, for brackets; in capitals its opposite.
std::string_view members_of(char name) {
    switch (name) {
        case 's':
        case 'S':
            return kSpaceMembers;
        case 'w':
        case 'W':
            return R"(\p{L}\p{M}\p{N}\p{Pc})";
        case 'h':
        case 'H':
            return "0-9a-fA-F";
        default:
            return "";
    }
}

[[noreturn]] void refuse(std::string_view pattern, const std::string& why) {
    throw Error({}, fmt::format("the pattern {:?} cannot be used: {}", std::string(pattern), why))
        .exit_code(kExitBadInput);
}

/// The same pattern in PCRE2's spelling.
std::string translate(std::string_view pattern) {
    std::string out;
    int depth = 0;  // of brackets
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        char c = pattern[i];
        if (c == '\\' && i + 1 < pattern.size()) {
            char name = pattern[++i];
            std::string_view members = members_of(name);
            bool upper = name >= 'A' && name <= 'Z';
            if (!members.empty()) {
                if (depth > 0 && upper && name != 'S')
                    refuse(pattern, fmt::format("\\{} inside brackets is not supported", name));
                if (depth > 0 && upper)
                    out += "\\S";
                else if (depth > 0)
                    out += members;
                else
                    out += fmt::format("[{}{}]", upper ? "^" : "", members);
                continue;
            }
            out += c;
            out += name;
            continue;
        }
        if (c == '[') {
            if (depth > 0 && pattern.substr(i, 2) != "[:")
                refuse(pattern, "brackets inside brackets are not supported");
            if (depth > 0) {
                std::size_t close = pattern.find(":]", i);
                if (close == std::string_view::npos)
                    refuse(pattern, "a class name that is not closed");
                out += pattern.substr(i, close + 2 - i);
                i = close + 1;
                continue;
            }
            ++depth;
            out += c;
            if (i + 1 < pattern.size() && pattern[i + 1] == '^')
                out += pattern[++i];
            if (i + 1 < pattern.size() && pattern[i + 1] == ']')
                refuse(pattern, "empty brackets");
            continue;
        }
        if (c == ']' && depth > 0)
            --depth;
        if (depth > 0 && pattern.substr(i, 2) == "&&")
            refuse(pattern, "an intersection in brackets is not supported");
        if (depth == 0 && pattern.substr(i, 3) == "(?m")
            refuse(pattern, "(?m means something else in the engine that it was written for");
        if (depth == 0 && c == '}' && i + 1 < pattern.size() && pattern[i + 1] == '+')
            refuse(pattern, "}+ means something else in the engine that it was written for");
        out += c;
    }
    return out;
}

std::string message_of(int code) {
    unsigned char text[256] = {};
    pcre2_get_error_message(code, text, sizeof text);
    return reinterpret_cast<const char*>(text);
}

}  // namespace

Regex::Regex(std::string_view pattern) : pattern_(pattern) {
    if (pattern.size() > kLongestPattern)
        throw Error(
            {},
            fmt::format(
                "a pattern has {} bytes, at most {} are read", pattern.size(), kLongestPattern))
            .exit_code(kExitBadInput);
    std::string text = translate(pattern);
    int error = 0;
    std::size_t at = 0;
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()),
                          text.size(),
                          PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                          &error,
                          &at,
                          nullptr);
    if (error == PCRE2_ERROR_HEAP_FAILED)
        throw std::bad_alloc();
    if (!code_)
        refuse(pattern, message_of(error));
    pcre2_jit_compile(static_cast<pcre2_code*>(code_), PCRE2_JIT_COMPLETE);
}

Regex::~Regex() {
    pcre2_code_free(static_cast<pcre2_code*>(code_));
}

bool Regex::next(std::string_view text, std::size_t from, Match& match) const {
    thread_local const MatchMemory memory(
        {.steps = kMostSteps, .depth = kMostSteps, .heap_kib = kMostHeapKib});
    int result = pcre2_match(static_cast<const pcre2_code*>(code_),
                             reinterpret_cast<PCRE2_SPTR>(text.data()),
                             text.size(),
                             from,
                             PCRE2_NO_UTF_CHECK,
                             memory.data(),
                             memory.limits());
    if (result == PCRE2_ERROR_NOMATCH)
        return false;
    if (result == PCRE2_ERROR_NOMEMORY)
        throw std::bad_alloc();
    if (result < 0)
        throw Error({},
                    fmt::format("the pattern {:?} needs too much on this text: {} (at most {} "
                                "steps and {} MiB a match)",
                                pattern_,
                                message_of(result),
                                kMostSteps,
                                kMostHeapKib >> 10))
            .exit_code(kExitBadInput);
    const std::size_t* found = pcre2_get_ovector_pointer(memory.data());
    match = {found[0], std::max(found[0], found[1])};
    return true;
}

std::unique_ptr<Scanner> scanner_of(std::string_view pattern, bool& known) {
    std::unique_ptr<Scanner> out = known_scanner(pattern);
    known = out != nullptr;
    if (!out)
        out = std::make_unique<Regex>(pattern);
    return out;
}

}  // namespace stillroom::lm
