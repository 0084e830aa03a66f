#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/document.h"

#include <filesystem>
#include <map>
#include <memory>

namespace stillroom {

/// The files of one composition, each read once, within the budgets.
class FileCache {
public:
    FileCache(Sources& sources, const Limits& limits, Diagnostics& diagnostics)
        : sources_(sources),
          limits_(limits),
          diagnostics_(diagnostics) {}

    /// Null if it cannot be read, or its root is no map; the diagnostics say why.
    const Document* read(const std::filesystem::path& path, Span wanted_at);

    /// A text that stands for a file: nothing is read for this path.
    void add(const std::filesystem::path& path, const std::string& text);

private:
    Sources& sources_;
    const Limits& limits_;
    Diagnostics& diagnostics_;
    std::map<std::filesystem::path, std::unique_ptr<Document>> documents_;
    std::size_t bytes_ = 0;
};

}  // namespace stillroom
