#pragma once

#include "engine/base/api.h"
#include "engine/base/files.h"
#include "engine/plan/describe.h"

#include <filesystem>
#include <vector>

namespace stillroom {

struct DescribeOptions {
    std::filesystem::path program = program_path();
    std::vector<std::filesystem::path> plugins;  ///< modules and folders that may be opened
    int threads = 1;
    bool offline = false;
    double timeout = 600;  ///< seconds without a sign after which the worker is given up
};

/// Asks in a worker of its own, with its skeletons in a temporary folder that goes again. A stage
/// at which that process crashes is refused with what is known of the crash.
STILLROOM_API Describer make_describer(DescribeOptions options);

}  // namespace stillroom
