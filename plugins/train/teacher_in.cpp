#include "plugins/train/teacher_in.h"

#include "plugins/lm/parallel/crossing.h"

#include <ATen/core/Tensor.h>

namespace stillroom::train {
namespace fs = std::filesystem;
namespace {

/// A decoder of the tensors, or parts of them, that this rank holds.
lm::Decoder decoder_of(const lm::ModelPart& part, const fs::path& folder, const Machine& machine) {
    auto files = std::make_shared<const lm::TensorFolder>(lm::TensorFolder::open(folder));
    lm::TensorSource source = lm::tensor_source(files, at::kCPU, machine.type);
    at::TensorOptions here = at::TensorOptions().dtype(machine.type).device(machine.device);
    lm::Decoder decoder = lm::build_part(
        part,
        [&](const std::string& name, const std::vector<std::int64_t>& shape) {
            return source(name, shape).to(here, /*non_blocking=*/false, /*copy=*/true);
        },
        here);
    files->check();
    return decoder;
}

}  // namespace

OpenTeacher open_teacher(const fs::path& folder,
                         const lm::ModelConfig& config,
                         const lm::Layout& layout,
                         const lm::Mesh& mesh,
                         lm::PartRequest request,
                         const Machine& machine) {
    OpenTeacher out;
    out.layout = layout;
    bool whole_layers = out.layout.tensor == 1, one_stage = out.layout.pipeline == 1;
    out.is_here = !one_stage || mesh.is_last();
    if (!out.is_here)
        return out;
    request.layout = out.layout;
    if (whole_layers) {
        request.place.tensor = 0;
        request.sequence = false;
    }
    if (one_stage)
        request.place.pipeline = 0;
    out.teacher.part = lm::part_of(config, request);
    if (whole_layers && one_stage) {
        out.mapped = lm::load_decoder(folder, machine.device, machine.type);
        out.teacher.decoder = out.mapped->decoder;
        return out;
    }
    out.teacher.decoder = decoder_of(out.teacher.part, folder, machine);
    if (!whole_layers)
        out.teacher.decoder.crossing = lm::crossing_of(mesh.tensor, request.sequence);
    return out;
}

}  // namespace stillroom::train
