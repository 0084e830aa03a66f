#include "plugins/lm/weights/runs.h"

namespace stillroom::lm {

void append(Runs& runs, Run run) {
    if (run.count == 0)
        return;
    if (!runs.empty() && runs.back().begin + runs.back().count == run.begin)
        runs.back().count += run.count;
    else
        runs.push_back(run);
}

Runs runs_of(std::span<const std::int64_t> indices) {
    Runs out;
    for (std::int64_t index : indices)
        append(out, {index, 1});
    return out;
}

std::int64_t count_of(const Runs& runs) {
    std::int64_t count = 0;
    for (const Run& run : runs)
        count += run.count;
    return count;
}

}  // namespace stillroom::lm
