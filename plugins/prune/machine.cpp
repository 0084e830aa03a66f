#include "plugins/prune/machine.h"

#include "engine/base/host.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/modules/device.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
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

lm::ModelPart Machine::part_of(const lm::ModelConfig& model) const {
    lm::PartRequest request{.layout = mesh.layout, .place = mesh.place};
    if (request.layout.stage_layers.empty())
        request.layout.stage_layers = {static_cast<int>(model.layers.size())};
    return lm::part_of(model, request);
}

Machine machine_of(RunContext& context, const lm::Layout& layout) {
    lm::keep_freed_memory();
    at::set_num_threads(context.threads());
    Machine out;
    out.device = lm::compute_device(
        context.decided("device", [&] { return lm::decided_device(context.device()); }),
        context.rank().local);
    out.type_name = context.decided("dtype", [&] { return type_for(context, out.device); });
    out.type = lm::compute_type(out.type_name, out.device);
    out.mesh = lm::Mesh::over(lm::Comm::connect(context.rank(), kDeadline, out.device), layout);
    return out;
}

std::uint64_t free_memory(at::Device device) {
    return device.is_cpu() ? available_memory() : 0;
}

std::int64_t batch_tokens(at::Device device) {
    return device.is_cpu() ? 4096 : 16384;
}

Line::Line(const Machine& machine)
    : machine_(machine),
      sent_(static_cast<std::size_t>(4 * machine.mesh.layout.pipeline + 8)) {}

at::Tensor Line::receive(std::int64_t tokens, std::int64_t width) const {
    at::Tensor x_TD = at::empty({tokens, width}, machine_.type);
    machine_.mesh.pipeline.receive(x_TD, machine_.mesh.place.pipeline - 1, "states").wait();
    return x_TD.to(machine_.device);
}

void Line::send(const at::Tensor& x_TD) {
    sent_.send(machine_.mesh.pipeline, x_TD.cpu(), machine_.mesh.place.pipeline + 1, "states");
}

bool Votes::stop(bool mine) {
    if (comm_.size() == 1)
        return mine;
    at::Tensor any = at::full({1}, mine ? 1 : 0, at::kInt);
    votes_.push_back({any, comm_.max(any, "stop")});
    return votes_.size() > lag_ && first();
}

void Votes::wait() {
    while (!votes_.empty())
        first();
}

bool Votes::first() {
    votes_.front().pending.wait();
    const bool stop = votes_.front().any.item<int>() != 0;
    votes_.pop_front();
    return stop;
}

}  // namespace stillroom::prune
