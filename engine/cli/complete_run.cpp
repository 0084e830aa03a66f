#include "engine/cli/complete_run.h"

#include "engine/run/run_folder.h"

namespace stillroom::cli {
namespace {

constexpr std::size_t kMost = 200;  // nobody reads more, and a prompt must not wait

}  // namespace

std::vector<std::string> complete_run(std::string_view start) {
    std::vector<std::string> found;
    std::vector<std::filesystem::path> runs = list_runs();
    if (!runs.empty() && std::string_view("latest").starts_with(start))
        found.emplace_back("latest");
    for (const std::filesystem::path& run : runs) {
        std::string id = run.filename().string();
        if (id.starts_with(start) && found.size() < kMost)
            found.push_back(std::move(id));
    }
    return found;
}

std::vector<std::string> complete_run_stage(const std::string& run, std::string_view start) {
    std::vector<std::string> found;
    for (const StageFile& stage : read_stage_files(find_run(run)))
        if (stage.name.starts_with(start))
            found.push_back(stage.name);
    return found;
}

}  // namespace stillroom::cli
