#pragma once

#include "plugins/lm/modules/load.h"
#include "plugins/lm/train/stage_pass.h"
#include "plugins/train/machine.h"

#include <filesystem>
#include <optional>

namespace stillroom::train {

/// What a rank has of the teacher.
struct OpenTeacher {
    lm::Layout layout;
    bool is_here = true;  ///< false: other ranks have all of it
    lm::Teacher teacher;
    std::optional<lm::Loaded> mapped;  ///< where its weights are read as they lie in its files

    /// Throws Error (exit 3) if a file was cut under it.
    void check() const {
        if (mapped)
            mapped->files->check();
    }
};

/// `request` is what this rank asks of the student, `layout` the teacher's.
OpenTeacher open_teacher(const std::filesystem::path& folder,
                         const lm::ModelConfig& config,
                         const lm::Layout& layout,
                         const lm::Mesh& mesh,
                         lm::PartRequest request,
                         const Machine& machine);

}  // namespace stillroom::train
