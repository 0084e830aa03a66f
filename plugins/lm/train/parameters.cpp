#include "plugins/lm/train/parameters.h"

#include "engine/base/error.h"
#include "plugins/lm/modules/fused.h"
#include "plugins/lm/modules/on_device.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cmath>

namespace stillroom::lm {
namespace {

constexpr std::int64_t kLine = 16;        // floats of a cache line
constexpr std::int64_t kBlock = 1 << 16;  // numbers that a thread takes at a time
static_assert(kBlock % kSquareBlock == 0);

bool decays(const HeldWeight& held, const std::vector<std::string>& globs) {
    return held.whole.size() > 1 && std::none_of(globs.begin(), globs.end(), [&](const auto& glob) {
               return fnmatch(glob.c_str(), held.name.c_str(), 0) == 0;
           });
}

/// What two ranges share, counted from the second's begin.
struct Overlap {
    std::int64_t begin = 0, count = 0;
};

Overlap overlap(std::int64_t own_begin, std::int64_t own_size, const Parameter& one) {
    std::int64_t begin = std::max(own_begin, one.begin);
    std::int64_t end = std::min(own_begin + own_size, one.begin + one.count);
    return {.begin = begin - one.begin, .count = std::max<std::int64_t>(0, end - begin)};
}

/// Of a whole cut into blocks that threads take: in one order, whatever the threads.
template <class BlockSum>
double sum_over_blocks(std::int64_t size, const BlockSum& sum_of_block) {
    std::int64_t blocks = (size + kBlock - 1) / kBlock;
    std::vector<double> sums(static_cast<std::size_t>(blocks));
    at::parallel_for(0, blocks, 1, [&](std::int64_t from, std::int64_t to) {
        for (std::int64_t i = from; i < to; i++) {
            std::int64_t begin = i * kBlock;
            sums[static_cast<std::size_t>(i)] =
                sum_of_block(begin, static_cast<std::size_t>(std::min(kBlock, size - begin)));
        }
    });
    double sum = 0;
    for (double block : sums)
        sum += block;
    return sum;
}

void update_by_operators(const AdamwStep& step,
                         const at::Tensor& master,
                         const at::Tensor& mean,
                         const at::Tensor& square,
                         const at::Tensor& gradient) {
    auto steps = static_cast<double>(step.step);
    at::Tensor g = gradient * step.factor;
    mean.mul_(step.beta1).add_(g, 1 - step.beta1);
    square.mul_(step.beta2).addcmul_(g, g, 1 - step.beta2);
    at::Tensor divisor = (square / (1 - std::pow(step.beta2, steps))).sqrt_().add_(step.eps);
    master.mul_(1 - step.lr * step.decay);
    master.addcdiv_(mean, divisor, -step.lr / (1 - std::pow(step.beta1, steps)));
}

}  // namespace

Parameters::Parameters(const ModelConfig& whole,
                       const PartRequest& request,
                       const WeightReader& read,
                       const Options& options)
    : whole_(whole),
      request_(request),
      options_(options),
      part_(part_of(whole, request)),
      list_(listed(part_)) {
    make_buffers();
    mark_lines();
    for (const Parameter& one : list_) {
        at::Tensor values = at::empty(one.held.shape, at::kFloat);
        read(one.held, values);
        set(one, values);
    }
    build();
}

std::vector<Parameter> Parameters::listed(const ModelPart& part) const {
    std::vector<Parameter> list;
    std::int64_t end = 0;
    auto add = [&](const HeldWeight& held) {
        Parameter one{.held = held, .begin = end, .count = elements(held.shape)};
        one.decays = decays(held, options_.no_decay);
        end += (one.count + kLine - 1) / kLine * kLine;
        list.push_back(std::move(one));
    };
    for (const HeldWeight& held : part.weights)
        add(held);
    for (const HeldWeight& held : options_.projections)
        add(held);
    return list;
}

std::vector<Parameter> Parameters::list_of(int tensor_rank) const {
    PartRequest request = request_;
    request.place.tensor = tensor_rank;
    return listed(part_of(whole_, request));
}

std::int64_t Parameters::size_of(const std::vector<Parameter>& list, int data_ranks) {
    std::int64_t end = list.empty() ? 0 : list.back().begin + list.back().count;
    std::int64_t unit = kLine * data_ranks;  // each rank's range begins on a cache line
    return (end + unit - 1) / unit * unit;
}

void Parameters::make_buffers() {
    std::int64_t size = size_of(list_, options_.data_ranks);
    at::TensorOptions floats = at::TensorOptions().dtype(at::kFloat).device(options_.device);
    std::int64_t own = size / options_.data_ranks;
    own_begin_ = own * options_.data_rank;
    weights_N = at::zeros({size}, floats.dtype(options_.type));
    gradient_N = at::zeros({size}, floats);
    master_O = options_.type == at::kFloat ? weights_N.narrow(0, own_begin_, own)
                                           : at::zeros({own}, floats);
    mean_O = at::zeros({own}, floats);
    square_O = at::zeros({own}, floats);
}

void Parameters::mark_lines() {
    at::Tensor decay = at::zeros({own_size() / kLine}, at::kByte), counted = at::zeros_like(decay);
    for (const Parameter& one : list_) {
        Overlap mine = overlap(own_begin_, own_size(), one);
        std::int64_t begin = (one.begin + mine.begin - own_begin_) / kLine;
        std::int64_t lines = (mine.count + kLine - 1) / kLine;
        if (lines == 0)
            continue;
        decay.narrow(0, begin, lines).fill_(one.decays);
        counted.narrow(0, begin, lines).fill_(one.held.counted);
    }
    decays_L = decay.to(options_.device);
    counted_L = counted.to(options_.device);
}

void Parameters::build() {
    for (const Parameter& one : list_) {
        at::Tensor weight = part(weights_N, one).detach().requires_grad_(true);
        weight.mutable_grad() = part(gradient_N, one);
        weights_.push_back(weight);
    }
    decoder_ = build_decoder(part_.config,
                             [&](const std::string& name, const std::vector<std::int64_t>& shape) {
                                 for (std::size_t i = 0; i < list_.size(); i++)
                                     if (list_[i].held.name == name)
                                         return weights_[i];
                                 // Embedding, last norm and head of other stages of a pipeline,
                                 // which nobody reads here.
                                 return at::zeros({1}, weights_N.options()).expand(shape);
                             });
    decoder_.first_word = part_.first_word;
    decoder_.words = part_.words;
    drop_row_bias(decoder_, part_);
}

const Parameter& Parameters::named(std::string_view name) const {
    auto found = std::find_if(
        list_.begin(), list_.end(), [&](const Parameter& one) { return one.held.name == name; });
    if (found == list_.end())
        throw Error({}, fmt::format("no parameter '{}' on this rank", name))
            .exit_code(kExitInternal);
    return *found;
}

const at::Tensor& Parameters::weight(const Parameter& parameter) const {
    return weights_[static_cast<std::size_t>(&parameter - list_.data())];
}

at::Tensor Parameters::own(const at::Tensor& flat_N) const {
    return flat_N.narrow(0, own_begin_, own_size());
}

at::Tensor Parameters::part(const at::Tensor& flat_N, const Parameter& parameter) {
    return flat_N.narrow(0, parameter.begin, parameter.count).view(parameter.held.shape);
}

void Parameters::keep(const at::Tensor& flat_O,
                      const Parameter& parameter,
                      const at::Tensor& values) const {
    Overlap mine = overlap(own_begin_, own_size(), parameter);
    if (mine.count > 0)
        flat_O.narrow(0, parameter.begin + mine.begin - own_begin_, mine.count)
            .copy_(values.view({-1}).narrow(0, mine.begin, mine.count));
}

void Parameters::set(const Parameter& parameter, const at::Tensor& values) const {
    part(weights_N, parameter).copy_(values);
    if (weights_N.scalar_type() != at::kFloat)
        keep(master_O, parameter, values);
}

double own_square_sum(const Parameters& parameters,
                      const at::Tensor& flat_O,
                      const DeviceKernels& kernels) {
    at::Tensor sums = at::empty({kSquareParts}, flat_O.options().dtype(at::kDouble));
    queue_kernel(flat_O, kernels, "square_sums", [&](CUstream_st* stream) {
        return kernels.square_sums(flat_O.const_data_ptr<float>(),
                                   parameters.counted_L.const_data_ptr<std::uint8_t>(),
                                   flat_O.numel(),
                                   sums.mutable_data_ptr<double>(),
                                   stream);
    });
    return sums.sum().item<double>();
}

double own_square_sum(const Parameters& parameters, const at::Tensor& flat_O) {
    if (const DeviceKernels* kernels = kernels_for({&flat_O}))
        return own_square_sum(parameters, flat_O, *kernels);
    double sum = 0;
    for (const Parameter& one : parameters.list()) {
        Overlap mine = overlap(parameters.own_begin(), parameters.own_size(), one);
        if (!one.held.counted || mine.count == 0)
            continue;
        at::Tensor numbers =
            flat_O.narrow(0, one.begin + mine.begin - parameters.own_begin(), mine.count);
        if (!numbers.is_cpu()) {
            sum += numbers.to(at::kDouble).square().sum().item<double>();
            continue;
        }
        const float* first = numbers.const_data_ptr<float>();
        sum += sum_over_blocks(mine.count, [&](std::int64_t begin, std::size_t count) {
            return sum_of_squares(best_tier(), first + begin, count);
        });
    }
    return sum;
}

void update(Parameters& parameters, const AdamwStep& step, const DeviceKernels& kernels) {
    bool rounds = parameters.weights_N.scalar_type() == at::kBFloat16;
    at::Tensor gradient_O = parameters.own(parameters.gradient_N),
               weights_O = parameters.own(parameters.weights_N);
    FlatUpdate all{
        .master = parameters.master_O.mutable_data_ptr<float>(),
        .mean = parameters.mean_O.mutable_data_ptr<float>(),
        .square = parameters.square_O.mutable_data_ptr<float>(),
        .gradient = gradient_O.const_data_ptr<float>(),
        .rounded = rounds ? static_cast<std::uint16_t*>(weights_O.mutable_data_ptr()) : nullptr,
        .decays = parameters.decays_L.const_data_ptr<std::uint8_t>(),
        .count = parameters.own_size(),
        .by = factors_of(step)};
    queue_kernel(parameters.master_O, kernels, "adamw", [&](CUstream_st* stream) {
        return kernels.adamw(all, stream);
    });
}

std::optional<double> update(Parameters& parameters, const AdamwStep& step) {
    const DeviceKernels* kernels = kernels_for({&parameters.master_O});
    if (kernels != nullptr && parameters.weights_N.scalar_type() != at::kHalf) {
        update(parameters, step, *kernels);
        return std::nullopt;
    }
    std::optional<double> squares = 0;
    bool rounds = parameters.weights_N.scalar_type() != at::kFloat;
    for (const Parameter& one : parameters.list()) {
        Overlap mine = overlap(parameters.own_begin(), parameters.own_size(), one);
        if (mine.count == 0)
            continue;
        AdamwStep how = step;
        if (!one.decays)
            how.decay = 0;
        std::int64_t at_N = one.begin + mine.begin, at_O = at_N - parameters.own_begin();
        auto part = [&](const at::Tensor& flat, std::int64_t begin) {
            return flat.narrow(0, begin, mine.count);
        };
        at::Tensor master = part(parameters.master_O, at_O), mean = part(parameters.mean_O, at_O),
                   square = part(parameters.square_O, at_O),
                   gradient = part(parameters.gradient_N, at_N),
                   weights = part(parameters.weights_N, at_N);
        if (!master.is_cpu() || weights.scalar_type() == at::kHalf) {
            update_by_operators(how, master, mean, square, gradient);
            if (rounds)
                weights.copy_(master);
            squares.reset();
            continue;
        }
        double sum = sum_over_blocks(mine.count, [&](std::int64_t begin, std::size_t count) {
            return adamw(best_tier(),
                         how,
                         master.mutable_data_ptr<float>() + begin,
                         mean.mutable_data_ptr<float>() + begin,
                         square.mutable_data_ptr<float>() + begin,
                         gradient.const_data_ptr<float>() + begin,
                         rounds ? mutable_elements_of<Bf16>(weights) + begin : nullptr,
                         count);
        });
        if (squares && one.held.counted)
            *squares += sum;
    }
    return squares;
}

}  // namespace stillroom::lm
