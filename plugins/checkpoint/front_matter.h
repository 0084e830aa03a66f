#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::checkpoint {

/// The top-level texts and lists of texts of a model card's front matter, as far as they are plain:
/// `license: mit`, `language: [en, de]`, `base_model:` with `- ORG/NAME` below. Anything nested is
/// left out. A card is prose by many hands: what does not read is no error, it is not there.
using FrontMatter = std::map<std::string, std::vector<std::string>>;

FrontMatter front_matter_of(std::string_view card);

}  // namespace stillroom::checkpoint
