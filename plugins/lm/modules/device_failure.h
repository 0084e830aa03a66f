#pragma once

#include <exception>

namespace stillroom::lm {

/// What LibTorch throws where a device fails, as Error that names it: memory that it refused exits
/// with 4, a device that no longer answers with 7. Nothing is tried again elsewhere: what a device
/// does in minutes takes a CPU days. Returns for any other exception. See explain_failures().
void explain_device_failure(const std::exception_ptr& failure);

}  // namespace stillroom::lm
