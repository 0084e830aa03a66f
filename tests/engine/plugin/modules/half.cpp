#include "tests/engine/plugin/modules/half.h"

#include "engine/base/error.h"

namespace stillroom::test {

void stillroom_half_greet(const std::string& name, std::string& out) {
    out = "hello " + name;
}

void stillroom_half_fail() {
    throw Error({}, "it failed in there").exit_code(kExitRanks);
}

}  // namespace stillroom::test
