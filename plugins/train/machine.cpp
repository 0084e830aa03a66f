#include "plugins/train/machine.h"

#include "plugins/lm/modules/device.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <chrono>

namespace stillroom::train {
namespace {

std::string long_name(std::string_view precision) {
    if (precision == "bf16")
        return "bfloat16";
    if (precision == "fp16")
        return "float16";
    return precision == "fp32" ? "float32" : std::string(precision);
}

std::string short_name(at::ScalarType type) {
    return type == at::kBFloat16 ? "bf16" : type == at::kHalf ? "fp16" : "fp32";
}

}  // namespace

Machine machine_of(RunContext& context, std::string_view precision) {
    lm::keep_freed_memory();
    at::set_num_threads(context.threads());
    Machine out;
    out.device_name =
        context.decided("device", [&] { return lm::decided_device(context.device()); });
    out.device = lm::compute_device(out.device_name, context.rank().local);
    out.type_name = context.decided("precision", [&] {
        return short_name(lm::compute_type(long_name(precision), out.device));
    });
    out.type = lm::compute_type(long_name(out.type_name), out.device);
    if (context.rank().world > 1) {
        std::chrono::duration<double> patience(context.rank().timeout);
        out.world =
            lm::Comm::connect(context.rank(),
                              std::chrono::duration_cast<std::chrono::milliseconds>(patience),
                              out.device);
        if (context.rank().rank == 0 && !out.device.is_cpu())
            context.log(LogLevel::info,
                        fmt::format("between devices ranks talk through {}", out.world.carrier()));
    }
    return out;
}

}  // namespace stillroom::train
