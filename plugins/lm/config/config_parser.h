#pragma once

#include "plugins/lm/config/config_text.h"

namespace stillroom::lm {

/// The tree of a text; ConfigText::parse says what is refused.
ConfigValue parse_config(std::string_view text, const std::string& name);

Position position_in(std::string_view text, std::size_t offset, const std::string& name);

}  // namespace stillroom::lm
