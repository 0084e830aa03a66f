#pragma once

#include "engine/base/api.h"

#include <filesystem>

namespace stillroom {

/// A new folder, for its owner alone, that goes with all it holds.
class STILLROOM_API ScratchFolder {
public:
    /// `beginning`: its path, to which random letters are added. Throws Error (exit 4).
    explicit ScratchFolder(const std::filesystem::path& beginning);
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    ~ScratchFolder();

    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace stillroom
