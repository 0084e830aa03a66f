#pragma once

#include "engine/base/api.h"
#include "engine/plan/describe.h"

#include <filesystem>
#include <string>
#include <vector>

namespace stillroom {

/// What a planning worker is told: a JSON file. It makes the skeletons of stage number I at
/// folder/I/OUTPUT and answers with records: `cost`, `log` and `described` of each stage, or a
/// `result` that says why it cannot work. Of a stage that stands on a refused one there is nothing.
struct DescribeJob {
    std::filesystem::path folder;   ///< private to this request
    std::filesystem::path records;  ///< a file
    std::vector<std::filesystem::path> plugins;
    int threads = 1;
    bool offline = false;
    std::vector<DescribeStage> stages;
};

STILLROOM_API std::string describe_job_text(const DescribeJob& job);

/// Throws Error: exit 2 if it cannot be read, 9 if it is not what describe_job_text writes.
STILLROOM_API DescribeJob read_describe_job(const std::filesystem::path& file);

STILLROOM_API std::filesystem::path skeleton_folder(const DescribeJob& job,
                                                    std::size_t stage,
                                                    const std::string& output);

}  // namespace stillroom
