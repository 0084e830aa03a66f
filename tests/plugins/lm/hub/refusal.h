#pragma once

#include "engine/base/error.h"

#include <functional>
#include <string>

namespace stillroom::lm {

/// What Error is thrown for, with its exit code in front: "3: cannot unpack ..."; "nothing" for
/// none.
inline std::string refusal_of(const std::function<void()>& act) {
    try {
        act();
    } catch (const Error& error) {
        return std::to_string(error.exit_code()) + ": " + error.what();
    }
    return "nothing";
}

inline bool says(const std::string& refusal, std::string_view words) {
    return refusal.find(words) != refusal.npos;
}

}  // namespace stillroom::lm
