#include "plugins/lm/modules/device.h"

#include "engine/base/error.h"
#include "engine/plugin/failures.h"
#include "plugins/lm/modules/device_failure.h"
#include "plugins/lm/weights/processor.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <optional>

namespace stillroom::lm {
namespace {

// CPU code links no CUDA library: 0.2 s and 360 MB that most commands do without.
constexpr const char* kCudaLibrary = "libtorch_cuda.so";

/// Why there is no CUDA; nothing where there is one.
std::optional<std::string> no_cuda() {
    if (access("/dev/nvidiactl", F_OK) != 0 && access("/dev/dxg", F_OK) != 0)
        return "this machine has no NVIDIA driver";
    if (dlopen(kCudaLibrary, RTLD_NOW | RTLD_GLOBAL) == nullptr)
        return fmt::format("{} cannot be opened: {}", kCudaLibrary, dlerror());
    if (at::detail::getCUDAHooks().deviceCount() == 0)
        return "CUDA finds no device";
    return std::nullopt;
}

at::Device cuda_device(std::string_view text, int local) {
    int index = 0;
    bool named = text.size() > 5;
    if (named) {
        const char* end = text.data() + text.size();
        auto [stop, error] = std::from_chars(text.data() + 5, end, index);
        if (error != std::errc() || stop != end || index < 0)
            throw Error({}, fmt::format("'{}' is no device", text))
                .hint("one of: auto, cpu, cuda, cuda:N")
                .exit_code(kExitUsage);
    }
    if (std::optional<std::string> why = no_cuda())
        throw Error({}, fmt::format("device '{}': {}", text, *why))
            .hint("device=cpu computes without one")
            .exit_code(kExitResource);
    int count = at::detail::getCUDAHooks().deviceCount();
    if (!named)
        index = local % count;
    if (index >= count)
        throw Error({}, fmt::format("device '{}': there are {}, counted from 0", text, count))
            .exit_code(kExitResource);
    // What a product rounds to is what its type says, on every card.
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowBF16ReductionCuBLAS(false);
    return {at::kCUDA, static_cast<at::DeviceIndex>(index)};
}

/// The ordinal of the CUDA device; -1 the CPU.
std::atomic<int> in_use{-1};

at::Device use(at::Device device) {
    in_use = device.is_cpu() ? -1 : device.index();
    explain_failures(explain_device_failure);
    return device;
}

}  // namespace

at::Device device_in_use() {
    const int ordinal = in_use;
    return ordinal < 0 ? at::Device(at::kCPU)
                       : at::Device(at::kCUDA, static_cast<at::DeviceIndex>(ordinal));
}

std::string decided_device(std::string_view text) {
    if (text == "auto")
        return no_cuda() ? "cpu" : "cuda";
    compute_device(text);
    return std::string(text);
}

at::Device compute_device(std::string_view text, int local) {
    if (text == "cpu")
        return use(at::kCPU);
    if (text == "auto")
        return compute_device(decided_device(text), local);
    if (text == "cuda" || text.starts_with("cuda:"))
        return use(cuda_device(text, local));
    throw Error({}, fmt::format("'{}' is no device", text))
        .hint("one of: auto, cpu, cuda, cuda:N")
        .exit_code(kExitUsage);
}

at::ScalarType compute_type(std::string_view text, at::Device device) {
    if (text == "auto")
        return device.is_cpu() && !cpu_multiplies_bf16() ? at::kFloat : at::kBFloat16;
    if (text == "float32")
        return at::kFloat;
    if (text == "bfloat16")
        return at::kBFloat16;
    if (text == "float16")
        return at::kHalf;
    throw Error({}, fmt::format("'{}' is no type to compute in", text))
        .hint("one of: auto, float32, bfloat16, float16")
        .exit_code(kExitUsage);
}

void keep_freed_memory() {
#if defined(__GLIBC__)
    constexpr int kLarge = 1 << 30;
    mallopt(M_MMAP_THRESHOLD, kLarge);
    mallopt(M_TRIM_THRESHOLD, kLarge);
    malloc_trim(0);  // what reading the text took: tensors find no room in its pieces
#endif
}

}  // namespace stillroom::lm
