#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// A JSON value, read: what passes between programs, and what stands in an artifact's small files.
/// (Recipes and schemas are documents, whose values know their line: engine/document.) A question
/// that the value cannot answer throws Error (exit 3), never crashes.
class STILLROOM_API Json {
public:
    enum class Kind : std::uint8_t { null, boolean, number, string, list, map };
    struct Member;

    /// RFC 8259, UTF-8, equal keys refused. Throws Error (exit 3) with line and column, also for a
    /// text over `limit` bytes or nested deeper than 64.
    static Json parse(std::string_view text, std::size_t limit = std::size_t{64} << 20);
    static Json of(std::string text);  ///< a string

    Json();  ///< null
    Json(const Json&);
    Json(Json&&) noexcept;
    Json& operator=(const Json&);
    Json& operator=(Json&&) noexcept;
    ~Json();

    Kind kind() const { return kind_; }
    bool is_null() const { return kind_ == Kind::null; }
    bool is_string() const { return kind_ == Kind::string; }
    bool is_number() const { return kind_ == Kind::number; }
    bool is_list() const { return kind_ == Kind::list; }
    bool is_map() const { return kind_ == Kind::map; }

    bool boolean() const;
    double number() const;  ///< the strings "inf", "-inf" and "nan" too, as JsonWriter writes them
    std::int64_t integer() const;  ///< 6e9 is one, 1.5 and 1e30 are none
    const std::string& string() const;
    const std::vector<Json>& list() const;
    const std::vector<Member>& map() const;  ///< in the order of the text

    const Json* find(std::string_view key) const;  ///< null: no such key, or no map
    const Json& at(std::string_view key) const;

    /// A string as it is, a number as it was written, true, false, null; of a collection "a list"
    /// or "a map".
    std::string text() const;

private:
    friend class JsonParser;
    [[noreturn]] void refuse(std::string_view wanted) const;

    Kind kind_ = Kind::null;
    bool boolean_ = false;
    std::string text_;  // a string's, a number's
    std::vector<Json> items_;
    std::vector<Member> members_;
};

struct Json::Member {
    std::string key;
    Json value;
};

}  // namespace stillroom
