#pragma once

#include "plugins/lm/kernels/device_kernels.h"
#include "plugins/lm/modules/device.h"
#include "tests/plugins/lm/kernels/played_device.h"

#include <c10/core/Device.h>

#include <vector>

namespace stillroom::lm {

/// Kernels, and where their memory is.
struct KernelPlace {
    const char* name;
    const DeviceKernels* kernels;
    at::Device device;
};

/// The played device, and the real one where there is one.
inline std::vector<KernelPlace> kernel_places() {
    std::vector<KernelPlace> out{{"played", &played_device(), at::kCPU}};
    at::Device device = compute_device("auto");
    if (device.is_cuda() && device_kernels() != nullptr)
        out.push_back({"device", device_kernels(), device});
    return out;
}

}  // namespace stillroom::lm
