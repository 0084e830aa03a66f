#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace stillroom::lm {

/// GPT-2's spelling of bytes as visible characters: 33-126, 161-172 and 174-255 stand for
/// themselves, the other 68 are U+0100, U+0101, ... in order.
char32_t spelling_of_byte(unsigned char byte);
int byte_of_spelling(char32_t c);  ///< -1: not in the alphabet

std::string spell_bytes(std::string_view bytes);
/// Into twice as much room as there are bytes; how much of it was used.
std::size_t spell_bytes(std::string_view bytes, char* into);
/// Nothing: a character outside the alphabet.
std::optional<std::string> spelled_bytes(std::string_view text);
/// The same for many, into one place; false is nothing.
bool spelled_bytes(std::string_view text, std::string& out);

}  // namespace stillroom::lm
