#pragma once

#include "engine/base/decimal.h"

#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// A number in a calculation: an integer of 64 bits, or a decimal of at most some 40 digits.
struct CalcValue {
    bool integer = false;
    Decimal number;
};

/// Why an operation has no result: "division by zero".
struct CalcFailure {
    std::string message;
};

// All throw CalcFailure.
CalcValue calc_binary(std::string_view sign, const CalcValue& a, const CalcValue& b);
CalcValue calc_negate(const CalcValue& a);
CalcValue calc_function(std::string_view name, const std::vector<CalcValue>& arguments);

}  // namespace stillroom
