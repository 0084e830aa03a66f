#pragma once

#include "engine/base/api.h"
#include "engine/base/source.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

// A config.json is edited as text: a value that is not touched keeps its bytes (1e-06 stays 1e-06),
// keys keep their order, unknown ones stay. A tree of spans over the text says where each value is;
// an edit cuts and pastes, and the text is read again. A second reader beside engine/base's Json,
// since Python's dialect has bare NaN and Infinity, and spans are the point here.

/// A value of the text, and where it stands.
struct ConfigValue {
    enum class Kind : std::uint8_t { null, boolean, integer, number, string, list, map };
    struct Member;

    Kind kind = Kind::null;
    std::size_t begin = 0, end = 0;  ///< bytes of the text
    bool boolean = false;
    std::int64_t integer = 0;  ///< of an integer that fits
    double number = 0;         ///< of an integer too; NaN, Infinity, {"__float__": "Infinity"}
    std::string string;
    std::vector<ConfigValue> items;
    std::vector<Member> members;  ///< in the order of the text

    bool is_null() const { return kind == Kind::null; }
    bool is_map() const { return kind == Kind::map; }
    bool is_list() const { return kind == Kind::list; }
    STILLROOM_API const ConfigValue* find(std::string_view key) const;  ///< null: no such key
};

struct ConfigValue::Member {
    std::string key;
    std::size_t begin = 0;  ///< of the key's quote
    ConfigValue value;
};

/// Keys from the outermost map inwards.
using ConfigPath = std::vector<std::string>;

class STILLROOM_API ConfigText {
public:
    static constexpr std::size_t kLimit = std::size_t{16} << 20;
    static constexpr int kDeepest = 256;
    static constexpr std::size_t kMostValues = 500'000;  ///< of some 130 bytes each, when read

    /// JSON with Python's NaN, Infinity and -Infinity, a map outermost. Throws Error (exit 3) with
    /// line and column, also for a text over a limit above, and a key that stands twice. `name` is
    /// the file's, for messages.
    static ConfigText parse(std::string text, std::string name);

    const std::string& text() const { return text_; }
    const std::string& name() const { return name_; }
    const ConfigValue& root() const { return root_; }
    const ConfigValue* find(std::span<const std::string> path) const;  ///< null: not there
    Position position(const ConfigValue& value) const;

    /// Replaces the value, or adds the key to a map that is there: where the map's keys are sorted,
    /// in its place among them, else last; spaced like its neighbours. `json` is written as it is.
    void set(std::span<const std::string> path, std::string_view json);

    /// Takes key and value out, if they are there, with one comma.
    void remove(std::span<const std::string> path);

private:
    ConfigText() = default;
    void splice(std::size_t begin, std::size_t end, std::string_view with);
    void add(const ConfigValue& map, const std::string& key, std::string_view json);

    std::string text_, name_;
    ConfigValue root_;
};

/// A list spelled as `like` is in `text`: its items each on a line, or all on one.
STILLROOM_API std::string list_like(std::string_view text,
                                    const ConfigValue& like,
                                    std::span<const std::string> items);

/// As Python's repr writes a double: 1e-06, 10000.0, Infinity.
STILLROOM_API std::string python_number(double value);

}  // namespace stillroom::lm
