#include "plugins/prune/meter.h"

#include "plugins/prune/magnitudes.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

namespace stillroom::prune {
namespace {

std::vector<double> list_of(const at::Tensor& sums) {
    at::Tensor here = sums.cpu().contiguous();
    const auto* first = here.const_data_ptr<double>();
    return {first, first + here.numel()};
}

bool has_kernel(const at::Tensor& x) {
    return x.is_cpu() && x.is_contiguous() &&
           (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

bool all_of_one_length(const lm::Batch& batch) {
    return std::all_of(batch.lengths.begin(), batch.lengths.end(), [&](std::int64_t length) {
        return length == batch.lengths.front();
    });
}

/// Calls `take(begin, length)` for each sequence.
template <class Take>
void each_sequence(const lm::Batch& batch, Take take) {
    std::int64_t begin = 0;
    for (std::int64_t length : batch.lengths) {
        take(begin, length);
        begin += length;
    }
}

template <class Element>
void add_squares_on_cpu(double* sums,
                        const Element* x,
                        std::int64_t columns,
                        const lm::Batch& batch) {
    constexpr std::int64_t kBlock = 256;  // columns: a thread's sums stay in its nearest cache
    static const lm::Tier tier = lm::best_tier();
    at::parallel_for(
        0, (columns + kBlock - 1) / kBlock, 1, [&](std::int64_t from, std::int64_t to) {
            for (std::int64_t block = from; block < to; ++block) {
                const std::int64_t first = block * kBlock;
                const auto some = static_cast<std::size_t>(std::min(kBlock, columns - first));
                each_sequence(batch, [&](std::int64_t begin, std::int64_t length) {
                    float totals[kBlock] = {};
                    add_magnitudes(tier,
                                   x + begin * columns + first,
                                   static_cast<std::size_t>(length),
                                   static_cast<std::size_t>(columns),
                                   some,
                                   totals);
                    for (std::size_t c = 0; c < some; ++c) {
                        double mean = double{totals[c]} / static_cast<double>(length);
                        sums[first + static_cast<std::int64_t>(c)] += mean * mean;
                    }
                });
            }
        });
}

template <class Element>
std::vector<float> cosines(const Element* a,
                           const Element* b,
                           std::int64_t rows,
                           std::int64_t columns) {
    static const lm::Tier tier = lm::best_tier();
    std::vector<float> out(static_cast<std::size_t>(rows));
    at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row)
            out[static_cast<std::size_t>(row)] = cosine(
                tier, a + row * columns, b + row * columns, static_cast<std::size_t>(columns));
    });
    return out;
}

template <class Element>
const Element* elements(const at::Tensor& x) {
    return static_cast<const Element*>(x.const_data_ptr());
}

}  // namespace

std::vector<std::vector<double>> Meter::lists_of(const Hook& hook) {
    std::vector<std::vector<double>> out;
    for (std::size_t layer = 0; layer < hook.sums.size(); ++layer) {
        out.emplace_back(static_cast<std::size_t>(hook.channels));
        if (!hook.sums[layer].defined())
            continue;
        std::vector<double> own = list_of(hook.sums[layer]);
        auto next = own.begin();
        for (const lm::Run& run : hook.runs[layer])
            std::copy_n(next, run.count, out.back().begin() + run.begin), next += run.count;
    }
    return out;
}

Meter::Meter(const lm::ModelConfig& model,
             const lm::ModelPart& part,
             bool tells_stream,
             const std::set<Hparam>& hooks,
             at::Device device)
    : layers_(model.layers.size()),
      tells_stream_(tells_stream) {
    at::TensorOptions options = at::TensorOptions().dtype(at::kDouble).device(device);
    const Shape shape = shape_of(model);
    auto open = [&](Hook& hook, Hparam hparam, std::int64_t channels, auto runs_of_layer) {
        if (!hooks.contains(hparam))
            return;
        hook.channels = channels;
        hook.sums.resize(layers_);
        hook.runs.resize(layers_);
        for (std::size_t layer = part.first_layer; layer < part.last_layer; ++layer) {
            hook.runs[layer] = runs_of_layer(layer);
            if (std::int64_t count = lm::count_of(hook.runs[layer]); count > 0)
                hook.sums[layer] = at::zeros({count}, options);
        }
    };
    auto columns_of = [&part](std::string_view matrix) {
        return [&part, matrix](std::size_t layer) {
            const std::string name = fmt::format("model.layers.{}.{}.weight", layer, matrix);
            for (const lm::HeldWeight& held : part.weights)
                if (held.name == name)
                    return held.runs;
            return lm::Runs();
        };
    };
    auto stream_channels = [&](std::size_t) {
        return tells_stream ? lm::Runs{{0, shape.hidden}} : lm::Runs();
    };
    open(attention_input_, Hparam::hidden_size, shape.hidden, stream_channels);
    open(mlp_input_, Hparam::hidden_size, shape.hidden, stream_channels);
    open(ffn_, Hparam::ffn_hidden_size, shape.ffn, columns_of("mlp.down_proj"));
    open(heads_,
         Hparam::num_attention_heads,
         shape.heads * model.layers.front().attention->head_dim,
         columns_of("self_attn.o_proj"));
    if (hooks.contains(Hparam::hidden_size))
        stream_ = at::zeros({shape.hidden}, options);
    if (hooks.contains(Hparam::num_layers))
        layer_sums_ = at::zeros({static_cast<std::int64_t>(layers_)}, options);
}

void Meter::add_squares(at::Tensor& sum, const at::Tensor& x_TC, const lm::Batch& batch) const {
    if (has_kernel(x_TC)) {
        auto* sums = sum.mutable_data_ptr<double>();
        if (x_TC.scalar_type() == at::kFloat)
            add_squares_on_cpu(sums, elements<float>(x_TC), x_TC.size(1), batch);
        else
            add_squares_on_cpu(sums, elements<lm::Bf16>(x_TC), x_TC.size(1), batch);
        return;
    }
    auto add = [&](const at::Tensor& x_BSC) {
        at::Tensor means = at::linalg_vector_norm(x_BSC, 1, {1}, false, at::kFloat) /
                           static_cast<double>(x_BSC.size(1));
        sum.add_(means.square().sum(0, false, at::kDouble));
    };
    if (all_of_one_length(batch)) {
        add(x_TC.reshape({std::ssize(batch.lengths), batch.lengths.front(), x_TC.size(1)}));
        return;
    }
    each_sequence(batch, [&](std::int64_t begin, std::int64_t length) {
        add(x_TC.narrow(0, begin, length).unsqueeze(0));
    });
}

void Meter::add_angles(at::Tensor sum,
                       const at::Tensor& in_TD,
                       const at::Tensor& out_TD,
                       const lm::Batch& batch) const {
    if (has_kernel(in_TD) && has_kernel(out_TD) && in_TD.scalar_type() == out_TD.scalar_type()) {
        std::vector<float> each =
            in_TD.scalar_type() == at::kFloat
                ? cosines(
                      elements<float>(in_TD), elements<float>(out_TD), in_TD.size(0), in_TD.size(1))
                : cosines(elements<lm::Bf16>(in_TD),
                          elements<lm::Bf16>(out_TD),
                          in_TD.size(0),
                          in_TD.size(1));
        double score = 0;
        each_sequence(batch, [&](std::int64_t begin, std::int64_t length) {
            double total = 0;
            for (std::int64_t i = begin; i < begin + length; ++i)
                total += each[static_cast<std::size_t>(i)];
            score += 1 - total / static_cast<double>(length);
        });
        *sum.mutable_data_ptr<double>() += score;
        return;
    }
    at::Tensor each_T =
        at::cosine_similarity(in_TD.to(at::kFloat), out_TD.to(at::kFloat), -1, 1e-8);
    each_sequence(batch, [&](std::int64_t begin, std::int64_t length) {
        sum.add_(1 - each_T.narrow(0, begin, length).mean(at::kDouble));
    });
}

lm::Watch Meter::watch(const lm::Batch& batch, std::size_t first) {
    lm::Watch out;
    auto squares = [this, &batch, first](Hook& hook) -> lm::Watch::Look {
        if (std::none_of(hook.sums.begin(), hook.sums.end(), [](const at::Tensor& sum) {
                return sum.defined();
            }))
            return {};
        return [this, &batch, first, &hook](std::size_t layer, const at::Tensor& x) {
            add_squares(hook.sums[first + layer], x, batch);
        };
    };
    out.attention_input = squares(attention_input_);
    out.mlp_input = squares(mlp_input_);
    out.heads = squares(heads_);
    out.mlp_middle = squares(ffn_);
    if (tells_stream_ && (layer_sums_.defined() || stream_.defined()))
        out.layer = [this, &batch, first](
                        std::size_t layer, const at::Tensor& in_TD, const at::Tensor& out_TD) {
            auto index = static_cast<std::int64_t>(first + layer);
            if (layer_sums_.defined())
                add_angles(layer_sums_.narrow(0, index, 1), in_TD, out_TD, batch);
            if (!stream_.defined() || first + layer + 1 != layers_)
                return;
            at::Tensor each_TD = out_TD.to(at::kFloat).square();
            each_sequence(batch, [&](std::int64_t begin, std::int64_t length) {
                stream_.add_(each_TD.narrow(0, begin, length).mean(0, false, at::kDouble));
            });
        };
    return out;
}

RawScores Meter::take(std::int64_t rows, std::int64_t tokens) const {
    RawScores out;
    out.attention_input = lists_of(attention_input_);
    out.mlp_input = lists_of(mlp_input_);
    out.heads = lists_of(heads_);
    out.ffn = lists_of(ffn_);
    if (layer_sums_.defined())
        out.layers = list_of(layer_sums_);
    if (stream_.defined())
        out.stream = list_of(stream_);
    out.rows = rows;
    out.tokens = tokens;
    return out;
}

}  // namespace stillroom::prune
