#include "plugins/lm/weights/slice.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <numeric>
#include <vector>

namespace stillroom::lm {
namespace {

Error refusal(std::string message) {
    return Error({}, std::move(message)).exit_code(kExitUsage);
}

void check_keep(const Keep& keep, std::int64_t size, const std::string& what) {
    if (!keep)
        return;
    if (keep->empty())
        throw refusal(fmt::format("nothing of {} would stay", what));
    std::vector<bool> seen(static_cast<std::size_t>(size));
    for (std::int64_t index : *keep) {
        if (index < 0 || index >= size)
            throw refusal(fmt::format("index {} of {} is kept: there are {}", index, what, size));
        if (seen[static_cast<std::size_t>(index)])
            throw refusal(fmt::format("index {} of {} is kept twice", index, what));
        seen[static_cast<std::size_t>(index)] = true;
    }
}

std::int64_t size_after(const Keep& keep, std::int64_t before) {
    return keep ? static_cast<std::int64_t>(keep->size()) : before;
}

std::vector<std::int64_t> indices(const Keep& keep, std::int64_t size) {
    if (keep)
        return *keep;
    std::vector<std::int64_t> all(static_cast<std::size_t>(size));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

/// Head j reads KV head j / (heads / KV heads), before the cut and after it.
void check_groups(const Attention& attention, const LayerCut& cut) {
    std::vector<std::int64_t> heads = indices(cut.heads, attention.heads);
    std::vector<std::int64_t> kv = indices(cut.kv_heads, attention.kv_heads);
    if (heads.size() % kv.size() != 0)
        throw refusal(fmt::format("layer {}: {} heads are no multiple of {} KV heads",
                                  cut.layer,
                                  heads.size(),
                                  kv.size()));
    std::size_t group = heads.size() / kv.size();
    std::int64_t old_group = attention.heads / attention.kv_heads;
    for (std::size_t i = 0; i < heads.size(); ++i)
        if (heads[i] / old_group != kv[i / group])
            throw refusal(fmt::format("layer {}: head {} would read KV head {} in place of {}",
                                      cut.layer,
                                      heads[i],
                                      kv[i / group],
                                      heads[i] / old_group));
}

Layer cut_layer(const Layer& layer, const LayerCut& cut) {
    Layer out = layer;
    if (!cut.attention)
        out.attention.reset();
    if (!cut.mlp)
        out.mlp.reset();
    if (out.attention) {
        std::string where = fmt::format("of layer {}", cut.layer);
        check_keep(cut.heads, layer.attention->heads, "the heads " + where);
        check_keep(cut.kv_heads, layer.attention->kv_heads, "the KV heads " + where);
        check_groups(*layer.attention, cut);
        out.attention->heads = size_after(cut.heads, layer.attention->heads);
        out.attention->kv_heads = size_after(cut.kv_heads, layer.attention->kv_heads);
    }
    if (out.mlp) {
        check_keep(cut.ffn, layer.mlp->width, fmt::format("the MLP of layer {}", cut.layer));
        out.mlp->width = size_after(cut.ffn, layer.mlp->width);
    }
    return out;
}

class Slicer {
public:
    Slicer(const ModelConfig& model, const Cut& cut)
        : cut_(cut),
          before_(weight_table(model)),
          after_(weight_table(cut_model(model, cut))) {}

    std::vector<Slice> slices() const {
        std::vector<Slice> out;
        for (const Weight& weight : after_)
            out.push_back(slice(weight));
        return out;
    }

private:
    const Keep& keep_of(Axis axis, int layer) const {
        static const Keep kAll;
        if (axis == Axis::hidden)
            return cut_.hidden;
        if (axis == Axis::vocab)
            return cut_.vocab;
        if (layer < 0)
            return kAll;
        const LayerCut& cut = cut_.layers[static_cast<std::size_t>(layer)];
        switch (axis) {
            case Axis::ffn:
                return cut.ffn;
            case Axis::heads:
                return cut.heads;
            case Axis::kv_heads:
                return cut.kv_heads;
            default:
                return kAll;
        }
    }

    Slice slice(const Weight& weight) const {
        Slice out;
        out.weight = weight;
        out.source = source_name(weight);
        const Weight* source = before_.find(out.source);
        if (!source || source->dims.size() != weight.dims.size())
            throw Error({}, fmt::format("no tensor '{}' to slice", out.source))
                .exit_code(kExitInternal);
        out.is_whole = true;
        for (const Dim& dim : source->dims) {
            out.dims.push_back(slice_dim(dim, weight.layer));
            out.is_whole = out.is_whole && out.dims.back() == Runs{{0, dim.size()}};
        }
        return out;
    }

    /// Layers get new numbers; the name but for them is the same.
    std::string source_name(const Weight& weight) const {
        if (weight.layer < 0)
            return weight.name;
        std::string from = fmt::format(".layers.{}.", weight.layer);
        std::string to =
            fmt::format(".layers.{}.", cut_.layers[static_cast<std::size_t>(weight.layer)].layer);
        std::string name = weight.name;
        return name.replace(name.find(from), from.size(), to);
    }

    Runs slice_dim(const Dim& dim, int layer) const {
        Runs out;
        std::int64_t offset = 0;
        for (const Segment& segment : dim.segments) {
            for (const Run& run : slice_segment(segment, layer))
                append(out, {run.begin + offset, run.count});
            offset += size_of(segment);
        }
        return out;
    }

    /// From the fastest axis outwards: each index that stays takes what stays inside it.
    Runs slice_segment(const Segment& segment, int layer) const {
        Runs inner{{0, 1}};
        std::int64_t size = 1;
        for (auto part = segment.rbegin(); part != segment.rend(); ++part) {
            Runs outer;
            if (const Keep& keep = keep_of(part->axis, layer); !keep && inner == Runs{{0, size}})
                outer = {{0, size * part->size}};
            else
                for (std::int64_t index : indices(keep, part->size))
                    for (const Run& run : inner)
                        append(outer, {index * size + run.begin, run.count});
            inner = std::move(outer);
            size *= part->size;
        }
        return inner;
    }

    const Cut& cut_;
    WeightTable before_, after_;
};

}  // namespace

Cut whole(const ModelConfig& model) {
    Cut cut;
    for (std::size_t i = 0; i < model.layers.size(); ++i)
        cut.layers.push_back({.layer = static_cast<std::int64_t>(i)});
    return cut;
}

ModelConfig cut_model(const ModelConfig& model, const Cut& cut) {
    check_keep(cut.hidden, model.hidden, "the hidden channels");
    check_keep(cut.vocab, model.vocab, "the vocabulary");
    ModelConfig out = model;
    out.hidden = size_after(cut.hidden, model.hidden);
    out.vocab = size_after(cut.vocab, model.vocab);
    out.layers.clear();
    std::int64_t last = -1;
    for (const LayerCut& layer : cut.layers) {
        if (layer.layer <= last || layer.layer >= static_cast<std::int64_t>(model.layers.size()))
            throw refusal(fmt::format("layer {} is kept: the {} layers count from 0, in order",
                                      layer.layer,
                                      model.layers.size()));
        last = layer.layer;
        out.layers.push_back(cut_layer(model.layers[static_cast<std::size_t>(last)], layer));
    }
    return out;
}

std::vector<Slice> slices(const ModelConfig& model, const Cut& cut) {
    return Slicer(model, cut).slices();
}

}  // namespace stillroom::lm
