#pragma once

#include <cstdint>
#include <string>

namespace stillroom::lm {

/// 134515008 as "134,515,008".
inline std::string grouped(std::int64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3 + (number < 0 ? 1U : 0U);) {
        at -= 3;
        digits.insert(at, ",");
    }
    return digits;
}

}  // namespace stillroom::lm
