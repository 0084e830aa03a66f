#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// A number as RFC 8785 spells it: 6000000000, 1e+21, 1e-7. Infinities and NaN have no spelling
/// there and become the strings "inf", "-inf" and "nan" without quotes.
STILLROOM_API std::string number_text(double value);

/// The text between quotes, quotes included.
STILLROOM_API std::string json_quoted(std::string_view text);

/// Writes one JSON value, commas and indentation by itself. The calls must come in the order of the
/// text.
class STILLROOM_API JsonWriter {
public:
    explicit JsonWriter(int indent = 0) : indent_(indent) {}  ///< 0: all on one line, no blanks

    void begin_object();
    void end_object();
    void begin_array();
    void end_array();
    void key(std::string_view name);
    void string(std::string_view text);
    void integer(std::int64_t value);
    void number(double value);  ///< infinities and NaN as the strings "inf", "-inf", "nan"
    void boolean(bool value);
    void null();
    void raw(std::string_view json);  ///< a value that is JSON already

    const std::string& text() const { return out_; }
    std::string take() { return std::move(out_); }

private:
    void before_value();
    void new_line();
    void open(char bracket);
    void close(char bracket);

    std::string out_;
    int indent_;
    bool after_key_ = false;
    std::vector<bool> has_items_;
};

}  // namespace stillroom
