#include "plugins/lm/modules/on_device.h"

#include "engine/base/error.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/StringUtil.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>

namespace stillroom::lm {

at::Tensor sent_to(at::Device device, const at::Tensor& host) {
    if (!device.is_cuda())
        return host.to(device);
    return host.pin_memory().to(device, host.scalar_type(), /*non_blocking=*/true);
}

void queue_kernel(const at::Tensor& on,
                  const DeviceKernels& kernels,
                  std::string_view name,
                  const std::function<int(CUstream_st*)>& launch) {
    c10::OptionalDeviceGuard guard;
    CUstream_st* stream = nullptr;
    if (!on.is_cpu()) {
        // By LibTorch's own table of devices: no library of CUDA's is linked.
        guard.reset_device(on.device());
        c10::impl::VirtualGuardImpl device(on.device().type());
        stream =
            static_cast<CUstream_st*>(device.getStreamNativeHandle(device.getStream(on.device())));
    }
    int status = launch(stream);
    if (status != 0)
        throw Error({},
                    fmt::format("kernel '{}' was not launched: {}", name, kernels.message(status)))
            .exit_code(kExitInternal);
}

const DeviceKernels* kernels_for(std::initializer_list<const at::Tensor*> tensors) {
    const at::Tensor& first = **tensors.begin();
    bool fit = (first.scalar_type() == at::kFloat || first.scalar_type() == at::kBFloat16) &&
               std::all_of(tensors.begin(), tensors.end(), [&](const at::Tensor* x) {
                   return x->is_cuda() && x->device() == first.device() &&
                          x->scalar_type() == first.scalar_type() && x->is_contiguous() &&
                          reinterpret_cast<std::uintptr_t>(x->const_data_ptr()) % 16 == 0;
               });
    return fit ? device_kernels() : nullptr;
}

const DeviceKernels& needed_kernels(std::initializer_list<const at::Tensor*> tensors,
                                    std::string_view kernel) {
    if (const DeviceKernels* kernels = kernels_for(tensors))
        return *kernels;
    std::string what;
    for (const at::Tensor* x : tensors)
        what += fmt::format("{}{} {} on {}{}",
                            what.empty() ? "" : ", ",
                            c10::str(x->sizes()),
                            c10::toString(x->scalar_type()),
                            x->device().str(),
                            x->is_contiguous() ? "" : ", not contiguous");
    throw Error(
        {},
        fmt::format("kernel '{}' takes tensors of one type on one device, not {}", kernel, what))
        .exit_code(kExitInternal);
}

}  // namespace stillroom::lm
