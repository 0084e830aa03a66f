#include "plugins/lm/modules/device_failure.h"

#include "engine/base/error.h"
#include "engine/plugin/failures.h"
#include "plugins/lm/modules/device.h"

#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>
#include <doctest/doctest.h>

#include <functional>
#include <stdexcept>
#include <string>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

/// "EXIT: message" of what is told when a stage that computes fails so; "" where it stays as it is.
std::string told_of(const std::function<void()>& fail) {
    compute_device("cpu");  // from here on failures are explained
    try {
        fail();
    } catch (...) {
        std::exception_ptr failure = std::current_exception();
        try {
            std::rethrow_exception(explained(failure));
        } catch (const Error& error) {
            return std::to_string(error.exit_code()) + ": " + error.what();
        } catch (...) {
            return "";
        }
    }
    return "nothing failed";
}

}  // namespace

TEST_CASE("memory that a device refuses is told by its name and ends with 4") {
    CHECK(told_of([] {
              at::empty({std::int64_t{1} << 50}, at::kByte);
          }).starts_with("4: out of memory on this machine: "));
    CHECK(told_of([] {
              TORCH_CHECK_WITH(
                  OutOfMemoryError, false, "CUDA out of memory. Tried to allocate 2 GiB.");
          }) == "4: out of memory on cpu: CUDA out of memory. Tried to allocate 2 GiB.");
}

TEST_CASE("a device that failed is told by its name and ends with 7") {
    CHECK(told_of([] {
              throw c10::AcceleratorError({"f", "g", 1}, 719, "CUDA error: gone\nCompile with");
          }) == "7: device cpu failed: CUDA error: gone");
    CHECK(told_of([] { TORCH_CHECK(false, "CUDA error: gone\nCompile with"); }) ==
          "7: device cpu failed: CUDA error: gone");
}

TEST_CASE("what is no device's failure stays what it was") {
    CHECK(told_of([] { TORCH_CHECK(false, "shapes differ"); }).empty());
    CHECK(told_of([] { throw std::runtime_error("CUDA error"); }).empty());
    CHECK(told_of([] { throw 1; }).empty());
}
