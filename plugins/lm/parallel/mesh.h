#pragma once

#include "plugins/lm/parallel/comm.h"
#include "plugins/lm/parallel/layout.h"

namespace stillroom::lm {

/// The ranks of a stage in their layout, as one of them sees them.
struct STILLROOM_API Mesh {
    Layout layout;
    LayoutPlace place;
    Comm world;
    Comm tensor;    ///< that share this one's layers
    Comm data;      ///< that hold the same and read other data
    Comm pipeline;  ///< that hold the layers before and after
    Comm aside;     ///< the same ranks, for what goes past the order of the pipeline
    Comm ends;      ///< first and last of the pipeline; alone in its middle

    /// Called by all ranks of `world`, in whose order the layout places them.
    static Mesh over(const Comm& world, const Layout& layout);

    bool is_first() const { return place.pipeline == 0; }
    bool is_last() const { return place.pipeline + 1 == layout.pipeline; }
};

}  // namespace stillroom::lm
