#pragma once

#include "engine/plugin/second_half.h"

#include <string>

namespace stillroom::test {

extern "C" {
STILLROOM_API void stillroom_half_greet(const std::string& name, std::string& out);
STILLROOM_API void stillroom_half_fail();
STILLROOM_API void stillroom_half_absent();
}

}  // namespace stillroom::test
