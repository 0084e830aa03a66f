#pragma once

#include "engine/base/api.h"

#include <compare>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// A place in one of the texts at hand, as one integer, so that every value can carry one. File,
/// line and column are worked out only when someone reads them. 0 is nowhere.
struct Place {
    std::uint32_t at = 0;

    explicit operator bool() const { return at != 0; }
    auto operator<=>(const Place&) const = default;
};

/// Half-open, in bytes of one source.
struct Span {
    Place begin;
    Place end;

    explicit operator bool() const { return static_cast<bool>(begin); }
    auto operator<=>(const Span&) const = default;
};

/// A place as people read it: line and column count from 1, columns in code points. Of an argument
/// of the command line `file` is "argv", `line` the number of the argument.
struct Position {
    std::string file;
    int line = 0;
    int column = 0;

    std::string text() const;  ///< file:line:column
};

/// One text: a file, or one argument of the command line.
class STILLROOM_API Source {
public:
    Source(std::string name, std::string text, std::uint32_t base, int argument);

    const std::string& name() const { return name_; }
    const std::string& text() const { return text_; }
    bool is_argument() const { return argument_ > 0; }
    int argument() const { return argument_; }

    /// The folder that relative paths in this text belong to: the file's own, or the working
    /// directory.
    std::filesystem::path folder() const;

    Place place(std::size_t offset) const;
    Span span(std::size_t begin, std::size_t end) const { return {place(begin), place(end)}; }
    std::size_t offset(Place place) const { return place.at - base_; }
    bool holds(Place place) const { return place.at >= base_ && place.at - base_ <= text_.size(); }

    Position position(std::size_t offset) const;
    std::string_view line(std::size_t offset) const;  ///< the whole line around it, no line end
    std::size_t line_start(std::size_t offset) const;

private:
    const std::vector<std::uint32_t>& lines() const;

    std::string name_;
    std::string text_;
    std::uint32_t base_;
    int argument_;
    mutable std::vector<std::uint32_t> lines_;  // starts of lines, made on first use
};

/// All texts of one invocation. Places and spans point into it, so it outlives every tree made from
/// it.
class STILLROOM_API Sources {
public:
    /// `name` is shown in messages as it stands. Throws Error if the texts together pass 4 GiB.
    const Source& add(std::string name, std::string text);

    /// The argument argv[index].
    const Source& add_argument(int index, std::string text);

    const Source* find(Place place) const;  ///< null for nowhere
    Position position(Place place) const;   ///< empty file for nowhere
    std::string_view slice(Span span) const;

    /// In the order in which they were read.
    const std::vector<std::unique_ptr<Source>>& all() const { return sources_; }

private:
    const Source& insert(std::string name, std::string text, int argument);

    std::vector<std::unique_ptr<Source>> sources_;
    std::uint32_t next_ = 1;
};

}  // namespace stillroom
