#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::data {

struct BlendEntry {
    std::string prefix;
    std::optional<double> weight;  ///< all have one, or none
};

/// The text of a blend file, as Megatron's --data-args-path reads it: words between blanks, weight
/// and prefix in turn, or prefixes alone. `name` stands in messages. Throws Error (exit 3) where
/// weights and prefixes are mixed up, or for a weight that is none.
std::vector<BlendEntry> parse_blend(std::string_view text, const std::string& name);

/// The same as a text, an entry a line. Nothing: a prefix holds a blank, which the format cannot
/// say.
std::optional<std::string> blend_text(const std::vector<BlendEntry>& entries);

}  // namespace stillroom::data
