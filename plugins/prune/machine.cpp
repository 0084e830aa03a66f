#include "plugins/prune/machine.h"

#include "engine/base/host.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/modules/device.h"

#include <ATen/Parallel.h>
#include <c10/core/ScalarType.h>

namespace stillroom::prune {
namespace {

constexpr std::chrono::milliseconds kDeadline = std::chrono::minutes(30);

std::string name_of(at::ScalarType type) {
    return type == at::kBFloat16 ? "bfloat16" : type == at::kHalf ? "float16" : "float32";
}

/// A model of wide floats is computed in them; others in what the device is made for.
std::string type_for(const RunContext& context, at::Device device) {
    lm::ModelConfig model = lm::ConfigFile::read(context.input("model") / "config.json").model();
    return model.dtype == "float32" ? model.dtype : name_of(lm::compute_type("auto", device));
}

}  // namespace

Machine machine_of(RunContext& context) {
    lm::keep_freed_memory();
    at::set_num_threads(context.threads());
    Machine out;
    out.device = lm::compute_device(
        context.decided("device", [&] { return lm::compute_device(context.device()).str(); }));
    out.type_name = context.decided("dtype", [&] { return type_for(context, out.device); });
    out.type = lm::compute_type(out.type_name, out.device);
    if (context.rank().world > 1)
        out.comm = lm::Comm::connect(context.rank(), kDeadline);
    return out;
}

std::uint64_t free_memory(at::Device device) {
    return device.is_cpu() ? available_memory() : 0;
}

std::int64_t batch_tokens(at::Device device) {
    return device.is_cpu() ? 4096 : 16384;
}

}  // namespace stillroom::prune
