#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stillroom::cli {

/// Ids of the runs below the run root, `latest` first, that begin so.
std::vector<std::string> complete_run(std::string_view start);

/// The stages that have begun in a run.
std::vector<std::string> complete_run_stage(const std::string& run, std::string_view start);

}  // namespace stillroom::cli
