#pragma once

#include "plugins/lm/kernels/adamw.h"
#include "plugins/lm/kernels/device_kernels.h"
#include "plugins/lm/modules/decoder.h"
#include "plugins/lm/parallel/part_source.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

// N numbers of all parameters, each parameter's begin on a cache line
// O of them this rank's to update, one behind another
// L lines of 16 of those: a cache line, all of one parameter

/// One tensor that is trained, and where it lies in the flat buffers.
struct Parameter {
    HeldWeight held;
    std::int64_t begin = 0, count = 0;
    bool decays = false;  ///< weight decay pulls at it
};

/// Begins the names of parameters that are trained beside a model's.
inline constexpr std::string_view kProjections = "projections.";

/// Writes what this rank holds of a weight into a tensor of that shape, fp32.
using WeightReader = std::function<void(const HeldWeight& held, const at::Tensor& into)>;

/// A part of a decoder that is trained. Its weights are views of one flat buffer, and so are their
/// gradients: norm, reduction and update run over whole buffers and know no tensor. A tied head is
/// the embedding, once. Of ranks that read different data each keeps the optimizer's numbers of an
/// equal range (ZeRO-1).
class STILLROOM_API Parameters {
public:
    struct Options {
        at::ScalarType type = at::kFloat;  ///< of the arithmetic
        at::Device device = at::kCPU;
        std::vector<std::string> no_decay = {};    ///< globs, beside all of one dimension
        std::vector<HeldWeight> projections = {};  ///< trained, but not the model's
        int data_ranks = 1, data_rank = 0;
    };

    Parameters(const ModelConfig& whole,
               const PartRequest& request,
               const WeightReader& read,
               const Options& options);

    const ModelPart& model() const { return part_; }
    const Decoder& decoder() const { return decoder_; }
    Decoder& decoder() { return decoder_; }
    const std::vector<Parameter>& list() const { return list_; }
    const Parameter& named(std::string_view name) const;
    const at::Tensor& weight(const Parameter& parameter) const;  ///< wants gradients

    std::int64_t size() const { return gradient_N.numel(); }
    static std::int64_t size_of(const std::vector<Parameter>& list, int data_ranks);
    std::int64_t own_begin() const { return own_begin_; }
    std::int64_t own_size() const { return master_O.numel(); }
    at::Tensor own(const at::Tensor& flat_N) const;

    /// What another rank that shares these layers has, in its flat buffers' order.
    std::vector<Parameter> list_of(int tensor_rank) const;

    /// A parameter's part of a flat buffer of all.
    static at::Tensor part(const at::Tensor& flat_N, const Parameter& parameter);

    /// Takes new numbers, of which this rank keeps in `flat_O` what it updates.
    void keep(const at::Tensor& flat_O, const Parameter& parameter, const at::Tensor& values) const;
    /// The same for the parameters themselves, which all ranks hold.
    void set(const Parameter& parameter, const at::Tensor& values) const;

    at::Tensor weights_N;   ///< what is computed with
    at::Tensor gradient_N;  ///< fp32
    at::Tensor master_O;    ///< fp32; the weights' own range where they are fp32
    at::Tensor mean_O;      ///< of the gradient: exp_avg
    at::Tensor square_O;    ///< of its square: exp_avg_sq

    /// Of each line of this rank's range, for kernels that go over all of it at once: whether
    /// weight decay pulls at it, whether the norm of all counts it.
    at::Tensor decays_L, counted_L;

private:
    std::vector<Parameter> listed(const ModelPart& part) const;
    void make_buffers();
    void mark_lines();
    void build();

    ModelConfig whole_;
    PartRequest request_;
    Options options_;
    ModelPart part_;
    Decoder decoder_;
    std::vector<Parameter> list_;
    std::vector<at::Tensor> weights_;
    std::int64_t own_begin_ = 0;
};

/// Squares of the numbers of this rank's range, of copies one: summed over all ranks they are the
/// squared norm. NaN or infinite where one is.
STILLROOM_API double own_square_sum(const Parameters& parameters, const at::Tensor& flat_O);

/// Updates this rank's range; `step` says all but that some parameters do not decay. Returns
/// own_square_sum of the updated numbers where the update's own pass knows it.
STILLROOM_API std::optional<double> update(Parameters& parameters, const AdamwStep& step);

/// The same two by kernels, a launch each, where the kernels' memory is.
STILLROOM_API double own_square_sum(const Parameters& parameters,
                                    const at::Tensor& flat_O,
                                    const DeviceKernels& kernels);
STILLROOM_API void update(Parameters& parameters,
                          const AdamwStep& step,
                          const DeviceKernels& kernels);

}  // namespace stillroom::lm
