#pragma once

#include "engine/plugin/stage.h"
#include "plugins/lm/weights/tensor_writer.h"

namespace stillroom::checkpoint {

/// Thrown out of a long loop when the engine asks the stage to stop: run() then returns.
struct Stopped {};

/// Reports the bytes written as this part of the whole work, and ends it when asked to.
inline lm::SaveOptions watched(RunContext& context, const char* what, double from, double to) {
    lm::SaveOptions options;
    options.progress = [&context, what, from, to](std::uint64_t done, std::uint64_t total) {
        double part = total ? static_cast<double>(done) / static_cast<double>(total) : 1;
        context.progress(from + (to - from) * part, what);
        if (context.cancelled())
            throw Stopped();
    };
    return options;
}

}  // namespace stillroom::checkpoint
