#pragma once

#include "engine/cli/verbs.h"

#include <string>

namespace stillroom::cli {

/// What `stillroom --help` prints.
std::string overview(int width);

/// What `stillroom VERB --help` prints. Ends in two examples, as every help text does.
std::string verb_help(const Verb& verb, int width);

/// What `stillroom --version` prints.
std::string version_text();
std::string version_json();

/// The manual page, as roff, from the same table.
std::string man_page();

}  // namespace stillroom::cli
