#include "plugins/lm/train/snapshot.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <memory>

namespace stillroom::lm {
namespace {

constexpr std::string_view kMaster = ".master", kMean = ".exp_avg", kSquare = ".exp_avg_sq";

/// All of a flat buffer of which each data rank has a range; the buffer itself where one has all.
at::Tensor whole_of(const Mesh& mesh, const Parameters& parameters, const at::Tensor& flat_O) {
    if (mesh.data.size() == 1)
        return flat_O.cpu();
    at::Tensor flat_N = at::empty({parameters.size()}, flat_O.options());
    mesh.data.gather(flat_N, flat_O.contiguous(), "training state").wait();
    return flat_N.cpu();
}

/// Puts what one rank holds into whole tensors.
void put_parts(const std::vector<Parameter>& list,
               const at::Tensor& flat_N,
               std::vector<at::Tensor>& wholes) {
    for (std::size_t i = 0; i < list.size(); i++) {
        const HeldWeight& held = list[i].held;
        at::Tensor part = Parameters::part(flat_N, list[i]);
        if (held.is_whole()) {
            wholes[i] = part;
            continue;
        }
        if (!wholes[i].defined())
            wholes[i] = at::empty(held.whole, part.options());
        std::int64_t end = 0;
        for (const stillroom::lm::Run& run : held.runs) {
            wholes[i]
                .narrow(held.dim, run.begin, run.count)
                .copy_(part.narrow(held.dim, end, run.count));
            end += run.count;
        }
    }
}

/// Whole tensors in the order of the list; none on ranks that do not write.
std::vector<at::Tensor> gathered(const Mesh& mesh,
                                 const Parameters& parameters,
                                 const at::Tensor& flat_O) {
    at::Tensor flat_N = whole_of(mesh, parameters, flat_O);
    if (mesh.place.data != 0)
        return {};
    if (mesh.place.tensor != 0) {
        mesh.tensor.send(flat_N, 0, "training state").wait();
        return {};
    }
    std::vector<at::Tensor> wholes(parameters.list().size());
    put_parts(parameters.list(), flat_N, wholes);
    for (int rank = 1; rank < mesh.tensor.size(); rank++) {
        std::vector<Parameter> list = parameters.list_of(rank);
        at::Tensor other_N =
            at::empty({Parameters::size_of(list, mesh.data.size())}, flat_N.options());
        mesh.tensor.receive(other_N, rank, "training state").wait();
        put_parts(list, other_N, wholes);
    }
    return wholes;
}

/// Another stage of the pipeline writes it.
bool is_elsewhere(const Mesh& mesh, const HeldWeight& held) {
    return held.sharing == Sharing::at_ends && !mesh.is_first();
}

bool is_projection(const HeldWeight& held) {
    return held.name.starts_with(kProjections);
}

at::Tensor tensor_of(const FolderTensor& found) {
    auto* bytes = const_cast<std::byte*>(found.bytes().data());
    at::ScalarType type = found.info->dtype == Dtype::bf16  ? at::kBFloat16
                          : found.info->dtype == Dtype::f16 ? at::kHalf
                                                            : at::kFloat;
    return at::from_blob(bytes, found.info->shape, at::TensorOptions().dtype(type));
}

}  // namespace

Snapshot take_snapshot(const Mesh& mesh, const Parameters& parameters, bool last) {
    at::ScalarType type = parameters.weights_N.scalar_type();
    bool has_master = type != at::kFloat;
    std::vector<at::Tensor> master = gathered(mesh, parameters, parameters.master_O);
    std::vector<at::Tensor> mean = gathered(mesh, parameters, parameters.mean_O);
    std::vector<at::Tensor> square = gathered(mesh, parameters, parameters.square_O);
    Snapshot out;
    if (!writes_state(mesh))
        return out;
    auto lent = std::make_shared<Lent>();
    auto lend = [&](const std::string& name,
                    const at::Tensor& values,
                    const at::Tensor& flat_O,
                    at::ScalarType as) {
        return lent->tensor(name, values, as, /*changes=*/values.is_alias_of(flat_O));
    };
    for (std::size_t i = 0; i < master.size(); i++) {
        const HeldWeight& held = parameters.list()[i].held;
        if (is_elsewhere(mesh, held))
            continue;
        auto keep = [&](std::string_view kind, const at::Tensor& values, const at::Tensor& flat_O) {
            out.share.optimizer.push_back(
                lend(fmt::format("{}{}", held.name, kind), values, flat_O, at::kFloat));
        };
        if (!is_projection(held))
            out.share.model.push_back(lend(held.name, master[i], parameters.master_O, type));
        if (has_master || is_projection(held))
            keep(kMaster, master[i], parameters.master_O);
        keep(kMean, mean[i], parameters.mean_O);
        keep(kSquare, square[i], parameters.square_O);
    }
    if (!last)
        out.lent = std::move(lent);
    return out;
}

void restore(const StateTensors& state, Parameters& parameters) {
    for (const Parameter& one : parameters.list()) {
        at::Tensor values = at::empty(one.held.shape, at::kFloat);
        auto take = [&](const FolderTensor& found) {
            copy_part(one.held, tensor_of(found), values);
            found.forget();
        };
        std::optional<FolderTensor> master = state.find(one.held.name + std::string(kMaster));
        take(master ? *master : state.model().at(one.held.name));
        parameters.set(one, values);
        take(state.at(one.held.name + std::string(kMean)));
        parameters.keep(parameters.mean_O, one, values);
        take(state.at(one.held.name + std::string(kSquare)));
        parameters.keep(parameters.square_O, one, values);
    }
}

}  // namespace stillroom::lm
