#pragma once

#include "engine/document/node.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace stillroom {

/// What is wrong with a file of the store; its reader says what follows from that.
struct Unreadable {
    std::string why;
};

/// A JSON file of the store. It may have been written by anybody: bounded, no key twice. Throws
/// Unreadable.
NodePtr read_store_file(const std::filesystem::path& file);
NodePtr parse_store_text(std::string text);

// The fields of one object; throw Unreadable where they are absent or of another kind.
const Node& field(const Node& map, std::string_view key, Kind kind);
const std::string& text_field(const Node& map, std::string_view key);
std::uint64_t count_field(const Node& map, std::string_view key);
double number_field(const Node& map, std::string_view key);
std::string digest_field(const Node& map, std::string_view key);

/// 64 lower-case hex digits.
bool is_digest(std::string_view text);

/// Relative, and inside its folder: no "..", no empty part.
bool is_inside(std::string_view path);

}  // namespace stillroom
