#pragma once

#include "engine/base/diagnostic.h"

#include <filesystem>
#include <string>
#include <vector>

namespace stillroom {

/// What the site and the user configure. Flags and variables win over it, the site over the user.
struct Configuration {
    std::string launch = "local";  ///< the option of the group `launch` when nobody names one
    Span launch_where;             ///< nowhere: nobody configured it
    std::filesystem::path store;   ///< absolute; empty: the default

    // Only the site's file gives these: else a user, or whoever writes his files, could widen them.
    std::vector<std::string> allow_env;        ///< more variables that recipes may read
    std::vector<std::filesystem::path> trust;  ///< plugins or folders of them; absolute
};

struct ConfigurationFiles {
    std::filesystem::path site;
    std::filesystem::path user;
};

/// The site's path is decided when the program is built, so that no variable can name another file
/// whose word is trusted.
STILLROOM_API ConfigurationFiles configuration_files();

/// A file that is not there says nothing. What breaks config.schema.json is a mistake; keys that
/// are the site's in a user's file exit 10.
STILLROOM_API Configuration read_configuration(Sources& sources,
                                               const ConfigurationFiles& files,
                                               Diagnostics& diagnostics);

/// True if no connection may be opened: by the flag, or by HF_HUB_OFFLINE (where that is
/// empty, TRANSFORMERS_OFFLINE) as the Hub's own tools read it (1, on, yes, true).
STILLROOM_API bool is_offline(bool flag);

}  // namespace stillroom
