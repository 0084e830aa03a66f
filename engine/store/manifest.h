#pragma once

#include "engine/store/store.h"

#include <filesystem>
#include <string>

namespace stillroom {

/// The text of manifest.json.
STILLROOM_API std::string manifest_text(const Manifest& manifest);

/// Reads one that anybody may have written: bounded, every path inside its output, nothing twice,
/// the key that of the record. Throws Unreadable (fields.h).
STILLROOM_API Manifest parse_manifest(std::string text, std::string_view key);

}  // namespace stillroom
