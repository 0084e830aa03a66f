#include "engine/plugin/second_half.h"

#include "engine/base/error.h"
#include "tests/engine/plugin/modules/half.h"

#include <doctest/doctest.h>

namespace {

using namespace stillroom;
using namespace stillroom::test;

template <class Call>
Error error_of(Call call) {
    try {
        call();
    } catch (const Error& error) {
        return error;
    }
    FAIL("nothing was thrown");
    return {{}, ""};
}

TEST_CASE("a function of the module beside is called with C++ values") {
    std::string out;
    STILLROOM_SECOND_HALF("half", stillroom_half_greet)("you", out);
    CHECK(out == "hello you");
}

TEST_CASE("an Error thrown in the second half is one in the first") {
    Error error = error_of([] { STILLROOM_SECOND_HALF("half", stillroom_half_fail)(); });
    CHECK(error.exit_code() == kExitRanks);
    CHECK(std::string(error.what()) == "it failed in there");
}

TEST_CASE("a second half that was not built is told from one that does not fit") {
    Error absent = error_of([] { STILLROOM_SECOND_HALF("nowhere", stillroom_half_fail)(); });
    CHECK(absent.exit_code() == kExitResource);
    CHECK(std::string(absent.what()) == "this build is without LibTorch: there is no nowhere.so");
    Error other = error_of([] { STILLROOM_SECOND_HALF("half", stillroom_half_absent)(); });
    CHECK(other.exit_code() == kExitResource);
    CHECK(std::string(other.what()).starts_with("half.so cannot be opened: "));
}

}  // namespace
