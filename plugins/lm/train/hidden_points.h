#pragma once

#include "engine/base/api.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace stillroom::lm {

struct Layout;

/// A place in a decoder where hidden states are compared.
struct Point {
    enum Kind : std::uint8_t { embed, layer, norm1, norm2, final_norm } kind = embed;
    std::size_t index = 0;  ///< of the layer

    bool operator==(const Point&) const = default;
};

/// "embed", "layers.11" (the residual after it), "layers.11.norm1", "final_norm"; nothing for
/// another text.
STILLROOM_API std::optional<Point> point_named(std::string_view text);

/// The stage of a pipeline where a point lies.
STILLROOM_API int stage_of(const Layout& layout, const Point& point);

}  // namespace stillroom::lm
