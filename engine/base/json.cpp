#include "engine/base/json.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace stillroom {

std::string number_text(double value) {
    if (std::isnan(value))
        return "nan";
    if (std::isinf(value))
        return value < 0 ? "-inf" : "inf";
    if (value == 0)
        return "0";
    // The shortest digits that read back as the same double, then ECMAScript's rules for where the
    // point goes.
    char buffer[32];
    auto end = std::to_chars(
                   buffer, buffer + sizeof buffer, std::abs(value), std::chars_format::scientific)
                   .ptr;
    std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
    std::size_t e = text.find('e');
    int exponent = std::atoi(std::string(text.substr(e + 1)).c_str());
    std::string digits(1, text[0]);
    if (e > 2)
        digits += text.substr(2, e - 2);
    auto count = static_cast<int>(digits.size());
    std::string out;
    if (exponent >= 0 && exponent < 21) {
        if (count <= exponent + 1)
            out = digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0');
        else
            out = digits.substr(0, static_cast<std::size_t>(exponent + 1)) + "." +
                  digits.substr(static_cast<std::size_t>(exponent + 1));
    } else if (exponent < 0 && exponent >= -6) {
        out = "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
    } else {
        out = digits.substr(0, 1);
        if (count > 1)
            out += "." + digits.substr(1);
        out += fmt::format("e{:+}", exponent);
    }
    return value < 0 ? "-" + out : out;
}

std::string json_quoted(std::string_view text) {
    std::string out = "\"";
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '"')
            out += "\\\"";
        else if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '\r')
            out += "\\r";
        else if (c == '\t')
            out += "\\t";
        else if (c == '\b')
            out += "\\b";
        else if (c == '\f')
            out += "\\f";
        else if (byte < 0x20)
            out += fmt::format("\\u{:04x}", byte);
        else
            out.push_back(c);
    }
    out += '"';
    return out;
}

void JsonWriter::new_line() {
    if (indent_ == 0)
        return;
    out_ += '\n';
    out_.append(has_items_.size() * static_cast<std::size_t>(indent_), ' ');
}

void JsonWriter::before_value() {
    if (after_key_) {
        after_key_ = false;
        return;
    }
    if (has_items_.empty())
        return;
    if (has_items_.back())
        out_ += ',';
    has_items_.back() = true;
    new_line();
}

void JsonWriter::open(char bracket) {
    before_value();
    out_ += bracket;
    has_items_.push_back(false);
}

void JsonWriter::close(char bracket) {
    bool had_items = has_items_.back();
    has_items_.pop_back();
    if (had_items)
        new_line();
    out_ += bracket;
}

void JsonWriter::begin_object() {
    open('{');
}
void JsonWriter::end_object() {
    close('}');
}
void JsonWriter::begin_array() {
    open('[');
}
void JsonWriter::end_array() {
    close(']');
}

void JsonWriter::key(std::string_view name) {
    before_value();
    out_ += json_quoted(name);
    out_ += indent_ == 0 ? ":" : ": ";
    after_key_ = true;
}

void JsonWriter::raw(std::string_view json) {
    before_value();
    out_ += json;
}

void JsonWriter::string(std::string_view text) {
    raw(json_quoted(text));
}
void JsonWriter::integer(std::int64_t value) {
    raw(std::to_string(value));
}
void JsonWriter::boolean(bool value) {
    raw(value ? "true" : "false");
}
void JsonWriter::null() {
    raw("null");
}

void JsonWriter::number(double value) {
    std::string text = number_text(value);
    std::isfinite(value) ? raw(text) : string(text);
}

}  // namespace stillroom
