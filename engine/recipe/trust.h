#pragma once

#include "engine/base/diagnostic.h"
#include "engine/base/files.h"
#include "engine/recipe/configuration.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// A path whose code may run, and who says so. Never a recipe.
struct TrustedPath {
    std::filesystem::path path;  ///< canonical; of a folder all below it
    std::string from;            ///< "--trust", "STILLROOM_PLUGIN_PATH", ...
};

/// A --trust of the command line.
struct TrustFlag {
    std::filesystem::path path;
    Span where;
};

/// Folders and modules from which stages may be loaded, in the order in which a worker looks: the
/// installed folder (in a build tree each folder below plugins/), STILLROOM_PLUGIN_PATH, the site's
/// configuration, --trust. Folders that are not there are left out; a --trust that is not there is
/// a mistake.
STILLROOM_API std::vector<TrustedPath> plugin_folders(
    const Configuration& configuration,
    const std::vector<TrustFlag>& flags,
    Diagnostics& diagnostics,
    const std::filesystem::path& program = program_path());

/// Folders and files whose launch commands count: the installed library, the site's and the user's
/// configuration, --trust.
STILLROOM_API std::vector<TrustedPath> launch_folders(const Configuration& configuration,
                                                      const std::vector<TrustFlag>& flags,
                                                      Diagnostics& diagnostics);

/// Why the file does not count, as a sentence for a message with its canonical path and SHA-256,
/// such as "plugin /tmp/x.so (sha256 ...) is not trusted". Nothing where it counts: its canonical
/// path lies in one of the trusted ones, and not everybody may write it. Whoever opens the file
/// holds the descriptor to the same rule.
struct Distrust {
    std::string message;
    std::string hint;
};
STILLROOM_API std::optional<Distrust> find_distrust(std::string_view what,
                                                    const std::filesystem::path& file,
                                                    const std::vector<TrustedPath>& trusted);

/// "/tmp/x.so (sha256 ...)": what a message shows of code that is refused.
STILLROOM_API std::string fingerprint(const std::filesystem::path& file);

}  // namespace stillroom
