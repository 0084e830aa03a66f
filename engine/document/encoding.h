#pragma once

#include "engine/base/diagnostic.h"
#include "engine/base/source.h"

namespace stillroom {

/// Refuses what is not UTF-8: UTF-16 and UTF-32 by name, else the first bad byte with its offset.
/// False if it found anything.
bool check_encoding(const Source& source, Diagnostics& diagnostics);

/// Refuses what no recipe may hold: NUL and other control characters than TAB, LF, CR and U+0085, a
/// byte order mark inside, a CR without LF. The text must be UTF-8. False if it found anything.
bool check_characters(const Source& source, Diagnostics& diagnostics);

/// Where the text begins: past a byte order mark.
std::size_t skip_byte_order_mark(std::string_view text);

}  // namespace stillroom
