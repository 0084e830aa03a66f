#pragma once

#include "plugins/lm/weights/dtype.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

using Shape = std::vector<std::int64_t>;

/// A tensor of a file, by name: what it is, and where its bytes are.
struct TensorInfo {
    std::string name;
    Dtype dtype = Dtype::f32;
    Shape shape;
    std::uint64_t offset = 0;  ///< from the beginning of the file
    std::uint64_t bytes = 0;
};

/// Product of the sizes. Shapes are checked when they are read: it fits.
inline std::int64_t elements(const Shape& shape) {
    std::int64_t count = 1;
    for (std::int64_t size : shape)
        count *= size;
    return count;
}

STILLROOM_API std::string to_string(const Shape& shape);  ///< "[4096, 1024]"

/// A name out of a file as messages show it: not too long, no control characters.
STILLROOM_API std::string shown(std::string_view name);

}  // namespace stillroom::lm
