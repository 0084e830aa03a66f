#pragma once

#include "plugins/lm/data/text_files.h"
#include "plugins/lm/hub/hub_source.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {
class RunContext;
}

namespace stillroom::data {

/// One entry of `files`.
struct TextSource {
    enum class Kind { path, hub, piped };

    Kind kind = Kind::path;
    std::filesystem::path path;  ///< a file or folder; of a repository what lies in it, or nothing
    lm::HubSource repo;
};

/// Throws Error (exit 2) for what cannot be a name in a repository.
TextSource parse_text_source(const std::string& text);

/// The files that a source names, where that is known without fetching or reading it.
std::optional<std::vector<lm::TextFile>> known_files(const TextSource& source);

/// All of them: fetched from the Hub, or copied from stdin into work(), since what is piped in can
/// be read once only. What no setting names is told to the context.
std::vector<lm::TextFile> bring_files(const std::vector<TextSource>& sources, RunContext& context);

}  // namespace stillroom::data
