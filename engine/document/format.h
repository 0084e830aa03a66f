#pragma once

#include "engine/document/document.h"

#include <optional>
#include <string>

namespace stillroom {

/// The text of a document that was read, laid out in one way: two blanks a level, lists deeper than
/// their key, one blank behind '-', no blanks at line ends, at most one blank line in a row, LF.
/// All else stays as it was: comments, quotes, brackets, order, blanks within a line. What comes
/// out reads as the same value with the same comments, which is checked, and formats to itself.
/// Nothing, with the reason, if the file is not YAML.
STILLROOM_API std::optional<std::string> format(const Document& document, Diagnostics& diagnostics);

}  // namespace stillroom
