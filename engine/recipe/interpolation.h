#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

struct Interpolation;
struct ArgumentValue;

/// A piece of a text: literal characters, or one `${...}`.
struct TextPiece {
    std::string literal;
    std::shared_ptr<const Interpolation> interpolation;  ///< null: literal
};

/// A step of a path, "b" in `${a.b}`: literal, or from a nested `${...}`.
struct PathStep {
    std::string key;
    std::shared_ptr<const Interpolation> nested;
    bool bracket = false;  ///< written `[b]`
};

/// What stands between `${` and `}`. `begin` and `end` are offsets in the text, braces included.
struct Interpolation {
    bool is_call = false;
    std::size_t begin = 0, end = 0;

    int dots = 0;  ///< of a reference: how many lead it; 0 counts from the root
    std::vector<PathStep> path;

    std::vector<TextPiece> name;           ///< of a call
    std::vector<ArgumentValue> arguments;  ///< of a call
    std::string raw;                       ///< of a call: all after the ':', for `calc`
    std::size_t raw_begin = 0;             ///< where that is
};

/// An argument of a call.
struct ArgumentValue {
    enum class Form : std::uint8_t { primitive, quoted, list, map };

    Form form = Form::primitive;
    std::vector<TextPiece> text;  ///< of a primitive (unescaped) or a quoted text
    bool escaped = false;         ///< a primitive with a backslash escape is never typed
    char quote = 0;
    std::vector<ArgumentValue> items;  ///< of a list or map
    std::vector<std::string> keys;     ///< of a map, one an item
    std::size_t begin = 0, end = 0;
};

struct InterpolationMistake {
    std::size_t begin = 0, end = 0;  ///< in the text
    std::string message;
    std::string hint;
};

struct ParsedText {
    std::vector<TextPiece> pieces;  ///< neighbouring literals are one
    std::optional<InterpolationMistake> mistake;

    /// The one interpolation that is the whole text, or null.
    const Interpolation* whole() const;
    bool plain() const;  ///< no `${...}` in it
};

/// Reads a text: `${...}` becomes pieces, `\${` and doubled backslashes before `${` are unescaped.
/// Depth is bounded; never throws.
STILLROOM_API ParsedText parse_text(std::string_view text);

/// A cheap test: false means that the text stands for itself.
inline bool may_interpolate(std::string_view text) {
    return text.find("${") != std::string_view::npos;
}

/// The keys of a path of plain steps, "a.b[0].c" or "a.-1"; nothing if it is not one ("a..b", "a[",
/// "[a]b").
STILLROOM_API std::optional<std::vector<std::string>> split_path(std::string_view path);

}  // namespace stillroom
