#pragma once

#include "engine/base/source.h"
#include "engine/document/node.h"
#include "engine/recipe/override.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stillroom {

/// A mistake in an override: thrown inside the parser, made a diagnostic at its edge.
struct OverrideMistake {
    int code = 0;
    Span where;
    std::string message;
    std::string hint;
};

/// What the grammar calls an element: a value, or what a function made of it.
struct Element {
    NodePtr value;               ///< null for a sweep
    std::optional<Sweep> sweep;  ///< instead of the value
    bool extends = false;        ///< extend_list(..): `value` is the list of what to append
    bool loose = false;          ///< a choice made of several arguments, not by choice(..)
    Span where;
};

/// A call as written: `range(1, stop=5)`.
struct Call {
    std::string name;
    Span name_where;
    Span where;
    std::vector<Element> positional;
    std::vector<std::pair<std::string, Element>> keywords;
};

/// Reads the text right of the '='. Throws OverrideMistake.
class ValueReader {
public:
    /// Places are those of `source` from `offset` on.
    ValueReader(const Source& source, std::size_t offset);
    /// Places are all `where`.
    ValueReader(std::string_view text, Span where);

    /// value = element { "," element }, to the end of the text. Several are a choice.
    Element read();

    /// `zip(key=[..], ..)`: true if the text starts with it. Then the columns, keys as written.
    bool at_zip() const;
    struct Column {
        std::string_view key;
        std::size_t key_offset;  ///< in the source
        Element values;
    };
    std::vector<Column> read_zip();

private:
    Element element();
    Element list();
    Element map();
    Element quoted();
    Element primitive();
    Element call(std::size_t name_length);
    std::pair<std::string, Span> map_key();
    std::string quoted_text();
    void unquoted_character(std::string& out);
    Element inner_element(std::string_view container);

    bool at_end() const { return at_ >= text_.size(); }
    char peek() const { return at_end() ? '\0' : text_[at_]; }
    void skip_blanks();
    bool take_separator(char close, std::size_t open, std::string_view what);
    Span span(std::size_t begin, std::size_t end) const;
    [[noreturn]] void fail(int code, Span where, std::string message, std::string hint = {}) const;
    [[noreturn]] void fail_here(std::string_view expected) const;
    void count_node();

    const Source* source_ = nullptr;
    std::string_view text_;
    Span fixed_;
    std::size_t at_ = 0;
    std::size_t first_ = 0;  // where the value begins
    int depth_ = 0;
    std::size_t nodes_ = 0;
};

}  // namespace stillroom
