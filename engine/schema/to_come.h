#pragma once

#include "engine/base/api.h"

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace stillroom {

/// Stages that are declared, and can be checked, but whose code is still to come: the lines of
/// to-come.txt in the folders of schemas. To plan one of them is a mistake that says so.
STILLROOM_API std::set<std::string, std::less<>> stages_to_come(
    const std::vector<std::filesystem::path>& schema_folders);

}  // namespace stillroom
