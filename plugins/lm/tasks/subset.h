#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace stillroom::lm {

enum class SubsetRule : std::uint8_t {
    first,      ///< in the order of the file
    stratified  ///< by ascending SHA-256 of "SEED/SUBJECT/INDEX": a larger part holds a smaller one
};

struct Subset {
    SubsetRule rule = SubsetRule::stratified;
    double fraction = 1;
    std::int64_t seed = 1234;
};

/// Which of a subject's `count` questions are asked, ascending: those with index below
/// fraction * count by either rule's order, so at least one.
STILLROOM_API std::vector<std::size_t> chosen(const Subset& subset,
                                              std::string_view subject,
                                              std::size_t count);

}  // namespace stillroom::lm
