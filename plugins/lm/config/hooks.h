#pragma once

#include "plugins/lm/config/config_text.h"

#include <string>
#include <vector>

namespace stillroom::lm {

/// Keys of a JSON file that name code to be run or ways to run it, at any depth:
/// "text_config.auto_map". They are not obeyed; a file that is passed on goes without them.
STILLROOM_API std::vector<std::string> hooks_in(const ConfigText& text);
STILLROOM_API void drop_hooks(ConfigText& text);

/// Whether keys of this file of a model folder may name code. Of vocabularies they are tokens.
STILLROOM_API bool may_hold_hooks(const std::string& name);

}  // namespace stillroom::lm
