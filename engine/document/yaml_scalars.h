#pragma once

#include "engine/document/yaml_cursor.h"

#include <string>

namespace stillroom::yaml {

/// A scalar as found: its decoded text and where it stands, quotes included.
struct Scalar {
    std::string text;
    std::size_t begin = 0;
    std::size_t end = 0;
    Style style = Style::plain;
    bool one_line = true;
};

// Each leaves the cursor right behind the scalar. `indent` is the column of the collection around
// it, -1 at the root: lines that continue a scalar are indented deeper.

/// The part of a plain scalar on this line: it ends before ': ', ' #', the line's end, in flow also
/// before a flow indicator.
Scalar plain_on_line(Cursor& cursor, bool in_flow);

/// Folds the following lines that belong to the plain scalar into it.
void continue_plain(Cursor& cursor, Scalar& scalar, std::ptrdiff_t indent, bool in_flow);

Scalar single_quoted(Cursor& cursor, std::ptrdiff_t indent);
Scalar double_quoted(Cursor& cursor, std::ptrdiff_t indent);

/// A literal (|) or folded (>) text with its indicators. Leaves the cursor at the start of a line.
Scalar block_text(Cursor& cursor, std::ptrdiff_t indent);

}  // namespace stillroom::yaml
