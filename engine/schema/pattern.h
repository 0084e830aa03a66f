#pragma once

#include "engine/base/api.h"

#include <memory>
#include <string>
#include <string_view>

namespace stillroom {

/// A regular expression as JSON Schema means it: ECMA-262 in Unicode mode, found anywhere in the
/// text. It is rewritten for PCRE2, whose \s, `.`, `$`, \uXXXX and \p{...} differ, and everything
/// that only PCRE2 knows (\A, (?i), possessive repetition, [[:alpha:]]) is refused or taken as
/// ECMA takes it. Never std::regex, which refuses legal patterns and overflows the stack.
class STILLROOM_API Pattern {
public:
    enum class Match { yes, no, too_costly };

    /// On a pattern that is none, `ok` is false and `problem` says why, `offset` where.
    explicit Pattern(std::string_view text);

    bool ok() const { return code_ != nullptr; }
    const std::string& problem() const { return problem_; }
    std::size_t offset() const { return offset_; }

    /// Bounded in time and memory whatever the pattern and the text.
    Match find_in(std::string_view text) const;

private:
    std::shared_ptr<void> code_;
    std::string problem_;
    std::size_t offset_ = 0;
};

}  // namespace stillroom
