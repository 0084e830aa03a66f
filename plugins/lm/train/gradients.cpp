#include "plugins/lm/train/gradients.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

namespace stillroom::lm {
namespace {

/// Where a part of a weight lies in a tensor that all ranks of the layer fill together: KV heads
/// that several ranks hold meet in their place of the whole.
void move_part(const HeldWeight& held, const at::Tensor& whole, const at::Tensor& part, bool out) {
    std::int64_t end = 0;
    for (const stillroom::lm::Run& run : held.runs) {
        at::Tensor there = whole.narrow(held.dim, run.begin, run.count);
        at::Tensor here = part.narrow(held.dim, end, run.count);
        if (out)
            there.add_(here);
        else
            here.copy_(there);
        end += run.count;
    }
}

/// Gradients of which ranks of a layer each have a part: in one message.
void sum_parts(const Mesh& mesh, Parameters& parameters) {
    if (mesh.tensor.size() == 1)
        return;
    std::int64_t size = 0;
    for (const Parameter& one : parameters.list())
        if (one.held.sharing == Sharing::summed)
            size += elements(one.held.whole);
    if (size == 0)
        return;
    at::Tensor all = at::zeros({size}, parameters.gradient_N.options());
    auto each = [&](bool out) {
        std::int64_t begin = 0;
        for (const Parameter& one : parameters.list()) {
            if (one.held.sharing != Sharing::summed)
                continue;
            std::int64_t count = elements(one.held.whole);
            move_part(one.held,
                      all.narrow(0, begin, count).view(one.held.whole),
                      Parameters::part(parameters.gradient_N, one),
                      out);
            begin += count;
        }
    };
    each(true);
    mesh.tensor.sum(all, "gradients of shared weights").wait();
    each(false);
}

void sum_ends(const Mesh& mesh, Parameters& parameters) {
    if (mesh.ends.size() == 1)
        return;
    for (const Parameter& one : parameters.list())
        if (one.held.sharing == Sharing::at_ends)
            mesh.ends.sum(Parameters::part(parameters.gradient_N, one), "gradient of the embedding")
                .wait();
}

}  // namespace

void reduce_gradients(const Mesh& mesh, Parameters& parameters) {
    sum_parts(mesh, parameters);
    sum_ends(mesh, parameters);
    if (mesh.data.size() == 1)
        return;
    at::Tensor own_O = at::empty({parameters.own_size()}, parameters.gradient_N.options());
    mesh.data.scatter_sum(own_O, parameters.gradient_N, "gradients").wait();
    parameters.own(parameters.gradient_N).copy_(own_O);
}

void share_weights(const Mesh& mesh, Parameters& parameters) {
    if (mesh.data.size() == 1)
        return;
    at::Tensor own_O = parameters.own(parameters.weights_N).clone();
    mesh.data.gather(parameters.weights_N, own_O, "weights").wait();
}

}  // namespace stillroom::lm
