#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

enum class TextKind { lines, text, parquet };

/// A file to take text from.
struct TextFile {
    std::filesystem::path path;
    std::string name;  ///< in messages: as the user wrote it, or below the folder that they wrote
    TextKind kind = TextKind::lines;
    std::uint64_t size = 0;  ///< as it lies there, packed or not
};

/// By the ending of a name, packed (.gz, .zst) or not: .jsonl, .ndjson and .json hold lines, .txt,
/// .text and .md a document each, .parquet columns. Throws Error (exit 3) for any other.
STILLROOM_API TextKind text_kind_of(const std::string& name);

/// Whether a file is taken where a folder is named: lines and columns are, and texts where the
/// folder holds neither.
STILLROOM_API std::vector<std::string> texts_among(const std::vector<std::string>& names);

/// The file, or what a folder holds, folders in it too, in the order of their paths as bytes; but
/// nothing that begins with a dot. Throws Error (exit 3): nothing there, or nothing of use.
STILLROOM_API std::vector<TextFile> find_text_files(const std::filesystem::path& path);

}  // namespace stillroom::lm
