#pragma once

#include "engine/base/api.h"
#include "engine/document/node.h"

#include <functional>
#include <string>
#include <string_view>

namespace stillroom {

/// What an expression takes its values from. Null means that there is none and that it is reported
/// already. Offsets are those of the expression.
struct CalcInput {
    std::function<NodePtr(std::string_view path, std::size_t begin)> path;
    std::function<NodePtr(std::string_view text, std::size_t begin)> interpolation;
};

struct CalcResult {
    NodePtr value;  ///< an integer or a number; null on a mistake

    std::size_t begin = 0, end = 0;  ///< of the mistake
    std::string message;             ///< empty: reported already
    std::string hint;
};

/// + - * / // % ** ( ) min max abs floor ceil round over numbers (6B, 0x1F, 1e-3), paths and
/// `${...}`. // % and ** are Python's; round goes to the even neighbour of a half. Integers have 64
/// bits, and leaving them is a mistake; other numbers are decimal until a division or root makes
/// them binary, so that 1.1*3e9 is 3300000000.
STILLROOM_API CalcResult calculate(std::string_view expression, Span where, const CalcInput& input);

}  // namespace stillroom
