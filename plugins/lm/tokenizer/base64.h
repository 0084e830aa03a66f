#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace stillroom::lm {

/// Bytes of standard base64 with padding; nothing: it is none.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace stillroom::lm
