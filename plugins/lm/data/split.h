#pragma once

#include "engine/base/api.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace stillroom::lm {

enum class SplitPart : std::uint8_t { train, valid, test };

STILLROOM_API std::string_view word(SplitPart part);

/// Sequences of a pair of files: [first, last).
struct SequenceRange {
    std::int64_t first = 0, last = 0;
    std::int64_t size() const { return last - first; }
    bool operator==(const SequenceRange&) const = default;
};

/// "99,1,0": shares of training, validation and test, in the order of the data.
class STILLROOM_API Split {
public:
    /// One to three numbers; what is left out is 0. Throws Error (exit 2).
    static Split parse(std::string_view text);

    /// Bounds are rounded, halves to the even neighbour.
    SequenceRange range(SplitPart part, std::int64_t sequences) const;

private:
    std::array<double, 4> bounds_{};  ///< running sums of the shares
};

}  // namespace stillroom::lm
