#include "plugins/lm/modules/device_failure.h"

#include "engine/base/error.h"
#include "plugins/lm/modules/device.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <string>
#include <string_view>

namespace stillroom::lm {
namespace {

/// LibTorch's allocator of the CPU throws what it throws for anything.
constexpr std::string_view kHostAllocator = "DefaultCPUAllocator";
/// So do those of its checks that are older than AcceleratorError.
constexpr std::string_view kCudaError = "CUDA error";

bool says(const c10::Error& error, std::string_view words) {
    return error.msg().find(words) != std::string::npos;
}

/// The first line: the rest is about LibTorch's own switches.
std::string_view told(const c10::Error& error) {
    std::string_view text = error.msg();
    return text.substr(0, text.find('\n'));
}

}  // namespace

void explain_device_failure(const std::exception_ptr& failure) {
    const std::string device = device_in_use().str();
    try {
        std::rethrow_exception(failure);
    } catch (const c10::Error& error) {
        const bool on_host = says(error, kHostAllocator);
        if (on_host || dynamic_cast<const c10::OutOfMemoryError*>(&error))
            throw Error(
                {},
                fmt::format(
                    "out of memory on {}: {}", on_host ? "this machine" : device, told(error)))
                .hint("fewer rows at once, more ranks, recompute or a narrower precision need less")
                .exit_code(kExitResource);
        if (dynamic_cast<const c10::AcceleratorError*>(&error) || says(error, kCudaError))
            throw Error({}, fmt::format("device {} failed: {}", device, told(error)))
                .hint("nvidia-smi and the kernel's log say more; run again to go on")
                .exit_code(kExitRanks);
    } catch (...) {  // another library's
    }
}

}  // namespace stillroom::lm
