#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::checkpoint {

/// A stage that the exported model stands on, as a card tells it.
struct Step {
    std::string name, use;
    std::vector<std::string> inputs;                            ///< names of stages
    std::vector<std::pair<std::string, std::string>> settings;  ///< that somebody wrote
};

struct Lineage {
    std::vector<Step> steps;        ///< in the order of the run
    std::vector<std::string> base;  ///< "ORG/NAME" of the Hub's models among them
};

/// From RunContext::recipe(). Of a local path its last part alone is told: a card is public.
Lineage lineage_of(std::string_view recipe);

/// "ORG/NAME" if the folder is a snapshot in the Hub's cache; empty: it is none.
std::string hub_name_of(const std::filesystem::path& folder);

}  // namespace stillroom::checkpoint
