#pragma once

#include "plugins/lm/modules/hidden_loss.h"
#include "plugins/lm/modules/watch.h"
#include "plugins/lm/train/hidden_points.h"

#include <functional>
#include <string>

namespace stillroom::lm {

/// A pair of points whose states are to come together.
struct HiddenTerm {
    Point student, teacher;
    HiddenKind kind = HiddenKind::cosine;
    double weight = 1;
    std::string projection;  ///< the parameters' name without ".weight"; empty: none
};

/// Shows the states at points of layers as a pass comes by; embed and final_norm lie outside of
/// layers and are shown by whoever runs these.
using SeePoint = std::function<void(const Point& point, const at::Tensor& x_TD)>;
STILLROOM_API Watch watch_points(const SeePoint& see);

}  // namespace stillroom::lm
