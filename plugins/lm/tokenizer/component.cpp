#include "plugins/lm/tokenizer/component.h"

#include "plugins/lm/tokenizer/unicode.h"

#include <fmt/format.h>

namespace stillroom::lm {

void ComponentReader::refuse(const std::string& why) const {
    throw Error({file}, why).exit_code(kExitBadInput);
}

void ComponentReader::notice(std::string text) const {
    if (notices)
        notices->push_back(std::move(text));
}

std::string ComponentReader::type_of(const Json& value, std::string_view what) const {
    if (!value.is_map())
        refuse(fmt::format("a {} should be a map, not {}", what, value.text()));
    const Json* type = value.find("type");
    if (!type || !type->is_string())
        refuse(fmt::format("a {} has no 'type'", what));
    return type->string();
}

std::string ComponentReader::text(const Json& value, std::string_view key) const {
    const Json* found = value.find(key);
    if (!found || !found->is_string())
        refuse(fmt::format("'{}' should be there, and be text", key));
    return found->string();
}

std::string ComponentReader::text(const Json& value,
                                  std::string_view key,
                                  std::string_view otherwise) const {
    const Json* found = value.find(key);
    return found && !found->is_null() ? text(value, key) : std::string(otherwise);
}

bool ComponentReader::flag(const Json& value, std::string_view key, bool otherwise) const {
    const Json* found = value.find(key);
    if (!found || found->is_null())
        return otherwise;
    if (found->kind() != Json::Kind::boolean)
        refuse(fmt::format("'{}' should be true or false, not {}", key, found->text()));
    return found->boolean();
}

std::int64_t ComponentReader::number(const Json& value,
                                     std::string_view key,
                                     std::int64_t otherwise) const {
    const Json* found = value.find(key);
    if (!found || found->is_null())
        return otherwise;
    if (!found->is_number())
        refuse(fmt::format("'{}' should be a number, not {}", key, found->text()));
    return found->integer();
}

char32_t ComponentReader::character(const Json& value, std::string_view key) const {
    std::string found = text(value, key);
    int length = 0;
    char32_t c = found.empty() ? 0 : code_point(found.data(), length);
    if (found.empty() || static_cast<std::size_t>(length) != found.size())
        refuse(fmt::format("'{}' should be one character, not '{}'", key, found));
    return c;
}

const std::vector<Json>& ComponentReader::list(const Json& value, std::string_view key) const {
    const Json* found = value.find(key);
    if (!found || !found->is_list())
        refuse(fmt::format("'{}' should be there, and be a list", key));
    return found->list();
}

}  // namespace stillroom::lm
