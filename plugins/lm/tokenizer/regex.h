#pragma once

#include "plugins/lm/tokenizer/scanner.h"

#include <memory>
#include <string>
#include <string_view>

namespace stillroom::lm {

/// A pattern that no scanner of ours knows, by PCRE2 and under a limit of steps for every match,
/// over which Error (exit 3) is thrown. Its tables are Unicode 14, older than those published ids
/// were made with; white space is ours.
class Regex final : public Scanner {
public:
    /// Throws Error (exit 3) for what is no pattern, or reads differently in the reference's
    /// engine.
    explicit Regex(std::string_view pattern);
    ~Regex() override;
    Regex(const Regex&) = delete;
    Regex& operator=(const Regex&) = delete;

    bool next(std::string_view text, std::size_t from, Match& match) const override;

private:
    std::string pattern_;
    void* code_ = nullptr;
};

/// The known scanner of the pattern, else a Regex; `known` says which.
std::unique_ptr<Scanner> scanner_of(std::string_view pattern, bool& known);

}  // namespace stillroom::lm
