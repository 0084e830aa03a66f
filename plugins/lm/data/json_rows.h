#pragma once

#include "engine/base/api.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// Why a line is no row.
struct RowFault {
    std::string why;
    std::size_t at = 0;    ///< bytes before the place
    std::string hint;      ///< may be empty
    bool of_kind = false;  ///< all rows of the file will be so: it is no use to skip this one
};

/// The texts of some fields of JSON lines. A thread's own: it keeps what it needs from line to
/// line.
///
/// The whole line must be JSON by RFC 8259, in UTF-8: what is not asked for is checked too. A field
/// is a member of the line's map, or by dots one inside it ("meta.text"). It must be there once,
/// and be a string. An escaped half of a surrogate pair is no text and refused; "\u0000" is a
/// character like others. Depth 256 at most.
class STILLROOM_API JsonRows {
public:
    explicit JsonRows(std::vector<std::string> keys);

    /// Of a line without its line end. The texts, one a key, are views into the line, or into this
    /// object where they held an escape; they hold until the next call.
    std::optional<RowFault> read(std::string_view line);
    std::span<const std::string_view> texts() const { return texts_; }

private:
    struct Want {
        std::string_view rest;  // of the key, below the map at hand
        std::size_t key;
    };

    bool fail(const char* at, std::string why);
    void blanks();
    bool value(int depth);
    bool object(int depth, std::span<const Want> wants);
    bool array(int depth);
    bool wanted(std::size_t key);
    bool string(std::string* decoded, std::string_view& text);
    bool number();
    bool word(std::string_view word);
    void all_there();
    std::vector<std::string> names_of_line();

    std::vector<std::string> keys_;
    std::vector<Want> wants_;
    std::vector<std::string> decoded_;  // a text with escapes, of each key
    std::vector<std::string_view> texts_;
    std::vector<char> found_;
    std::string name_, scratch_;
    std::vector<std::string>* names_ = nullptr;  // to be gathered, of the outermost map

    const char* begin_ = nullptr;
    const char* at_ = nullptr;
    const char* end_ = nullptr;
    std::optional<RowFault> fault_;
};

/// Where the plain part of a JSON string ends: at a quote, a backslash or a control character.
STILLROOM_API const char* plain_end(const char* at, const char* end);

}  // namespace stillroom::lm
