#include "plugins/prune/written_logits.h"

#include "plugins/lm/config/config_file.h"
#include "plugins/lm/modules/load.h"
#include "plugins/lm/weights/convert.h"
#include "plugins/lm/weights/counts.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace stillroom::prune {
namespace fs = std::filesystem;
namespace {

constexpr const char* kWords = "model.embed_tokens.weight";
constexpr std::int64_t kBlockElements = std::int64_t{1} << 22;  // of a head: 16 MiB

std::string prefix_of(std::int64_t layer) {
    return fmt::format("model.layers.{}.", layer);
}

/// A decoder of this layer alone: its ends have no memory, and nobody asks for them.
lm::Decoder only_layer(lm::ModelConfig model, std::int64_t layer, const lm::TensorSource& source) {
    model.layers = {model.layers[static_cast<std::size_t>(layer)]};
    const std::string alone = prefix_of(0);
    return lm::build_decoder(
        model, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
            return name.starts_with(alone)
                       ? source(prefix_of(layer) + name.substr(alone.size()), shape)
                       : at::zeros({}, at::kFloat).expand(shape);
        });
}

/// One of the two models, a part at a time.
class Side {
public:
    Side(const fs::path& folder, lm::ModelConfig model, at::Device device)
        : model_(std::move(model)),
          device_(device),
          files_(std::make_shared<const lm::TensorFolder>(lm::TensorFolder::open(folder))) {}
    virtual ~Side() = default;

    std::size_t layers() const { return model_.layers.size(); }
    std::int64_t words() const { return model_.vocab; }
    void check() const { files_->check(); }

    at::Tensor embedded(const lm::Batch& batch) const {
        lm::Decoder first = no_layers();
        const auto tokens = batch.ids_T.size(0);
        const auto* ids = batch.ids_T.const_data_ptr<std::int64_t>();
        lm::Batch numbered = batch;  // the rows that are needed alone, in their order
        numbered.ids_T = at::empty({tokens}, at::kLong);
        first.embed_tokens = at::empty({tokens, model_.hidden}, at::kFloat);
        for (std::int64_t i = 0; i < tokens; ++i) {
            numbered.ids_T.mutable_data_ptr<std::int64_t>()[i] = i;
            first.embed_tokens.narrow(0, i, 1).copy_(rows(kWords, ids[i], 1));
        }
        first.embed_tokens = first.embed_tokens.to(device_);
        first.config.vocab = tokens;
        return lm::embed(first, numbered);
    }

    at::Tensor ran(std::size_t layer, const at::Tensor& x_TD, const lm::Batch& batch) const {
        at::Tensor out_TD = lm::run_layers(decoder(layer), x_TD, batch, 0, 1);
        const std::string begin = prefix_of(number(layer));
        for (const lm::FolderTensor& tensor : files_->tensors())
            if (tensor.info->name.starts_with(begin))
                tensor.forget();
        return out_TD;
    }

    at::Tensor head_input(const at::Tensor& x_TD) const {
        lm::Decoder last = no_layers();
        last.norm = norm();
        return lm::head_input(last, x_TD);
    }

    /// Of the words from `first` on.
    at::Tensor logits(const at::Tensor& hidden_TD, std::int64_t first, std::int64_t count) const {
        const char* name = model_.tied ? kWords : "lm_head.weight";
        lm::Decoder last = no_layers();
        last.lm_head = rows(name, first, count).to(device_);
        return lm::logits(last, hidden_TD).cpu();
    }

protected:
    const std::shared_ptr<const lm::TensorFolder>& files() const { return files_; }
    const lm::ModelConfig& model() const { return model_; }
    at::Device device() const { return device_; }

    lm::NormWeights last_norm(const lm::TensorSource& source, std::int64_t hidden) const {
        lm::NormWeights out{.weight = source("model.norm.weight", {hidden}), .bias = {}};
        if (model_.norm == lm::Norm::layer_plus_one)
            out.bias = source("model.norm.bias", {hidden});
        return out;
    }

private:
    virtual std::int64_t number(std::size_t layer) const = 0;  ///< in the files
    virtual lm::Decoder decoder(std::size_t layer) const = 0;
    virtual lm::NormWeights norm() const = 0;
    virtual at::Tensor narrowed(const at::Tensor& rows_ND) const = 0;

    lm::Decoder no_layers() const {
        lm::Decoder out;
        out.config = model_;
        return out;
    }

    at::Tensor rows(const char* name, std::int64_t first, std::int64_t count) const {
        const lm::FolderTensor found = files_->at(name);
        const std::size_t row =
            found.bytes().size() / static_cast<std::size_t>(found.info->shape[0]);
        at::Tensor out = at::empty({count, found.info->shape[1]}, at::kFloat);
        lm::convert(found.info->dtype,
                    found.bytes().subspan(static_cast<std::size_t>(first) * row,
                                          static_cast<std::size_t>(count) * row),
                    lm::Dtype::f32,
                    {static_cast<std::byte*>(out.mutable_data_ptr()), out.nbytes()});
        found.forget();  // a row may have mapped a large piece of the file
        return narrowed(out);
    }

    lm::ModelConfig model_;
    at::Device device_;
    std::shared_ptr<const lm::TensorFolder> files_;
};

class WrittenSide final : public Side {
public:
    WrittenSide(const fs::path& folder, at::Device device)
        : Side(folder, lm::ConfigFile::read(folder / "config.json").model(), device),
          source_(lm::tensor_source(files(), device, at::kFloat)) {}

private:
    std::int64_t number(std::size_t layer) const override {
        return static_cast<std::int64_t>(layer);
    }
    lm::Decoder decoder(std::size_t layer) const override {
        return only_layer(model(), number(layer), source_);
    }
    lm::NormWeights norm() const override { return last_norm(source_, model().hidden); }
    at::Tensor narrowed(const at::Tensor& rows_ND) const override { return rows_ND; }

    lm::TensorSource source_;
};

/// Leading slices of the source in order.
class CandidateSide final : public Side {
public:
    CandidateSide(const fs::path& folder,
                  const Orders& orders,
                  const Narrowing& narrowing,
                  const lm::Cut& cut,
                  at::Device device)
        : Side(folder, config_of(narrowing, cut), device),
          narrowing_(narrowing),
          cut_(cut),
          source_(in_order(files(), narrowing.model, orders, device, at::kFloat)),
          columns_D_(at::empty({narrowing.shape.hidden}, at::kLong)) {
        std::copy_n(orders.hidden().begin(),
                    narrowing.shape.hidden,
                    columns_D_.mutable_data_ptr<std::int64_t>());
    }

private:
    static lm::ModelConfig config_of(const Narrowing& narrowing, const lm::Cut& cut) {
        std::vector<std::int64_t> layers;
        for (const lm::LayerCut& layer : cut.layers)
            layers.push_back(layer.layer);
        return shaped(narrowing.model, narrowing.shape, layers);
    }

    std::int64_t number(std::size_t layer) const override { return cut_.layers[layer].layer; }

    lm::Decoder decoder(std::size_t layer) const override {
        lm::Decoder out = only_layer(narrowing_.model, number(layer), source_);
        out.layers.front() =
            leading_layer(out.layers.front(), static_cast<std::size_t>(number(layer)), narrowing_);
        out.config = model();
        out.config.layers = {out.config.layers[layer]};
        return out;
    }

    lm::NormWeights norm() const override {
        return leading_norm(last_norm(source_, narrowing_.model.hidden), narrowing_);
    }

    at::Tensor narrowed(const at::Tensor& rows_ND) const override {
        return at::index_select(rows_ND, 1, columns_D_);
    }

    const Narrowing& narrowing_;
    const lm::Cut& cut_;
    lm::TensorSource source_;
    at::Tensor columns_D_;
};

/// Of each position, while the blocks of the head go by.
struct Best {
    std::array<float, 2> logit{-std::numeric_limits<float>::infinity(),
                               -std::numeric_limits<float>::infinity()};
    std::array<std::int64_t, 2> word{0, 0};
};

class Comparison {
public:
    explicit Comparison(std::int64_t positions) : best_(static_cast<std::size_t>(positions)) {}

    void add(const at::Tensor& a_TV, const at::Tensor& b_TV, std::int64_t first_word) {
        const std::int64_t words = a_TV.size(1);
        for (std::size_t row = 0; row < best_.size(); ++row) {
            const std::array<const float*, 2> logits{
                a_TV.const_data_ptr<float>() + static_cast<std::int64_t>(row) * words,
                b_TV.const_data_ptr<float>() + static_cast<std::int64_t>(row) * words};
            for (std::int64_t word = 0; word < words; ++word) {
                const double x = logits[0][word], y = logits[1][word];
                worst_ = std::max(worst_, std::isfinite(x - y) ? std::abs(x - y) : HUGE_VAL);
                largest_ = std::max(largest_, std::abs(x));
                dot_ += x * y;
                squares_[0] += x * x;
                squares_[1] += y * y;
                for (std::size_t side = 0; side < 2; ++side)
                    if (logits[side][word] > best_[row].logit[side]) {
                        best_[row].logit[side] = logits[side][word];
                        best_[row].word[side] = first_word + word;
                    }
            }
        }
    }

    LogitsCheck result() const {
        LogitsCheck out{.positions = std::ssize(best_), .max = worst_, .largest = largest_};
        out.same_best = std::count_if(
            best_.begin(), best_.end(), [](const Best& one) { return one.word[0] == one.word[1]; });
        if (squares_[0] > 0 && squares_[1] > 0)
            out.cosine = dot_ / std::sqrt(squares_[0]) / std::sqrt(squares_[1]);
        return out;
    }

private:
    std::vector<Best> best_;
    double worst_ = 0, largest_ = 0, dot_ = 0;
    std::array<double, 2> squares_{0, 0};
};

}  // namespace

LogitsCheck compare_logits(const fs::path& source,
                           const Orders& orders,
                           const Narrowing& candidate,
                           const lm::Cut& cut,
                           const fs::path& written,
                           const lm::Batch& batch,
                           at::Device device) {
    c10::InferenceMode inference;
    const CandidateSide wanted(source, orders, candidate, cut, device);
    const WrittenSide found(written, device);
    at::Tensor a_TD = wanted.embedded(batch), b_TD = found.embedded(batch);
    for (std::size_t layer = 0; layer < found.layers(); ++layer) {
        a_TD = wanted.ran(layer, a_TD, batch);
        b_TD = found.ran(layer, b_TD, batch);
    }
    a_TD = wanted.head_input(a_TD);
    b_TD = found.head_input(b_TD);
    Comparison comparison(a_TD.size(0));
    const std::int64_t block = std::max<std::int64_t>(1, kBlockElements / candidate.model.hidden);
    for (std::int64_t first = 0; first < found.words(); first += block) {
        const std::int64_t count = std::min(block, found.words() - first);
        comparison.add(wanted.logits(a_TD, first, count), found.logits(b_TD, first, count), first);
    }
    wanted.check();
    found.check();
    return comparison.result();
}

std::uint64_t bytes_to_compare(lm::ModelConfig model) {
    auto params = [&](std::size_t layers) {  // which are all alike
        model.layers = std::vector<lm::Layer>(layers, model.layers.front());
        return lm::count(lm::weight_table(model)).total;
    };
    return static_cast<std::uint64_t>(params(2) - params(1)) * 2 * sizeof(float);
}

}  // namespace stillroom::prune
