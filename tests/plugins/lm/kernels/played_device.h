#pragma once

#include "plugins/lm/kernels/device_kernels.h"

namespace stillroom::lm {

/// The kernels as CUDA has them, their blocks one after the other on this processor, the threads of
/// a block by turns: what they compute can be seen where there is no device.
const DeviceKernels& played_device();

}  // namespace stillroom::lm
