#pragma once

#include "plugins/lm/kernels/device_kernels.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <initializer_list>
#include <string_view>

namespace stillroom::lm {

/// A copy of what lies in the host's memory, queued: the host waits for nothing. The tensor itself
/// if that is where it is to be.
STILLROOM_API at::Tensor sent_to(at::Device device, const at::Tensor& host);

/// Queues a kernel after all that LibTorch has queued for this thread on the tensor's device; null
/// stands for the stream on the CPU. Throws Error (exit 70) that names it if it was not launched.
STILLROOM_API void queue_kernel(const at::Tensor& on,
                                const DeviceKernels& kernels,
                                std::string_view name,
                                const std::function<int(CUstream_st*)>& launch);

/// The kernels that take these tensors as they are: all on one CUDA device, contiguous, on 16
/// bytes, of one type that is fp32 or bf16. Null: LibTorch's operators do.
STILLROOM_API const DeviceKernels* kernels_for(std::initializer_list<const at::Tensor*> tensors);

/// The same for tensors that no operator would take instead: throws Error (exit 70) that says what
/// they are.
STILLROOM_API const DeviceKernels& needed_kernels(std::initializer_list<const at::Tensor*> tensors,
                                                  std::string_view kernel);

}  // namespace stillroom::lm
