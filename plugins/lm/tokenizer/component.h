#pragma once

#include "engine/base/error.h"
#include "engine/base/json_value.h"

#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// What reading a tokenizer's components shares: the file's name for messages, and notices that
/// concern the user but refuse nothing.
struct ComponentReader {
    std::string file;
    std::vector<std::string>* notices = nullptr;

    [[noreturn]] void refuse(const std::string& why) const;
    void notice(std::string text) const;

    /// `value`'s "type". `what` names the component in messages.
    std::string type_of(const Json& value, std::string_view what) const;
    std::string text(const Json& value, std::string_view key) const;
    std::string text(const Json& value, std::string_view key, std::string_view otherwise) const;
    bool flag(const Json& value, std::string_view key, bool otherwise) const;
    std::int64_t number(const Json& value, std::string_view key, std::int64_t otherwise) const;
    /// The one character that a text should be.
    char32_t character(const Json& value, std::string_view key) const;
    const std::vector<Json>& list(const Json& value, std::string_view key) const;
};

}  // namespace stillroom::lm
