// In place of device_kernels.cu where there is no nvcc.

#include "plugins/lm/kernels/device_kernels.h"

namespace stillroom::lm {

const DeviceKernels* device_kernels() {
    return nullptr;
}

}  // namespace stillroom::lm
