#include "plugins/lm/parallel/part_source.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <map>
#include <memory>

namespace stillroom::lm {

void copy_part(const HeldWeight& held, const at::Tensor& whole, const at::Tensor& into) {
    std::int64_t end = 0;
    for (const Run& run : held.runs) {
        into.narrow(held.dim, end, run.count).copy_(whole.narrow(held.dim, run.begin, run.count));
        end += run.count;
    }
}

TensorSource part_source(const ModelPart& part,
                         const TensorSource& whole,
                         const at::TensorOptions& options) {
    auto held_here = std::make_shared<std::map<std::string, HeldWeight>>();
    for (const HeldWeight& held : part.weights)
        held_here->emplace(held.name, held);
    return [held_here, whole, options](const std::string& name,
                                       const std::vector<std::int64_t>& shape) {
        auto found = held_here->find(name);
        if (found == held_here->end())
            return at::zeros({1}, options).expand(shape);
        const HeldWeight& held = found->second;
        at::Tensor all = whole(name, held.whole);
        if (held.is_whole())
            return all;
        at::Tensor own = at::empty(shape, all.options());
        copy_part(held, all, own);
        return own;
    };
}

void drop_row_bias(Decoder& decoder, const ModelPart& part) {
    if (part.row_bias)
        return;
    for (LayerWeights& layer : decoder.layers) {
        if (layer.attention)
            layer.attention->o_proj.bias.reset();
        if (layer.mlp)
            layer.mlp->down_proj.bias.reset();
    }
}

Decoder build_part(const ModelPart& part,
                   const TensorSource& whole,
                   const at::TensorOptions& options) {
    Decoder decoder = build_decoder(part.config, part_source(part, whole, options));
    decoder.first_word = part.first_word;
    decoder.words = part.words;
    drop_row_bias(decoder, part);
    return decoder;
}

}  // namespace stillroom::lm
