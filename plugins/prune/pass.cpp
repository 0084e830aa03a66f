#include "plugins/prune/pass.h"

#include "plugins/lm/config/config_file.h"
#include "plugins/lm/modules/load.h"
#include "plugins/lm/weights/strict_check.h"
#include "plugins/prune/meter.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>

namespace stillroom::prune {
namespace fs = std::filesystem;
namespace {

/// Rows of one rank, in batches.
class Share {
public:
    Share(const PassOptions& options, const Machine& machine)
        : total_(options.rows),
          batch_(options.batch),
          world_(machine.comm.size()),
          rank_(machine.comm.rank()) {}

    /// Steps that all ranks make together; some of the last have no batch for a rank.
    std::int64_t steps() const { return (total_ + batch_ * world_ - 1) / (batch_ * world_); }
    std::int64_t first(std::int64_t step) const { return (step * world_ + rank_) * batch_; }
    std::int64_t count(std::int64_t step) const {
        return std::clamp<std::int64_t>(total_ - first(step), 0, batch_);
    }
    std::int64_t done(std::int64_t step) const {
        return std::min(total_, (step + 1) * batch_ * world_);
    }

private:
    std::int64_t total_, batch_, world_, rank_;
};

struct Measured {
    Meter meter;
    std::int64_t rows = 0, tokens = 0;

    void count(const lm::Batch& batch) {
        rows += std::ssize(batch.lengths);
        tokens += batch.ids_T.size(0);
    }
};

void measure_whole(const fs::path& folder,
                   const lm::Rows& rows,
                   const PassOptions& options,
                   const Machine& machine,
                   Measured& out) {
    lm::Loaded loaded = lm::load_decoder(folder, machine.device, machine.type);
    Share share(options, machine);
    for (std::int64_t step = 0; step < share.steps(); ++step) {
        if (share.count(step) > 0) {
            lm::Batch batch = batch_of_rows(rows, share.first(step), share.count(step));
            lm::run_layers(loaded.decoder,
                           lm::embed(loaded.decoder, batch),
                           batch,
                           0,
                           loaded.decoder.layers.size(),
                           out.meter.watch(batch));
            out.count(batch);
        }
        if (options.progress)
            options.progress(share.done(step));
    }
    loaded.files->check();
}

/// A decoder of one layer of a model, with its own embedding or none.
class OneLayer {
public:
    OneLayer(const fs::path& folder, const lm::ModelConfig& model, const Machine& machine)
        : model_(model),
          machine_(machine),
          files_(std::make_shared<const lm::TensorFolder>(lm::TensorFolder::open(folder))),
          source_(lm::tensor_source(files_, machine.device, machine.type)) {
        lm::strict_check(model, lm::weight_table(model), *files_);
        embedding_ = source_("model.embed_tokens.weight", {model.vocab, model.hidden});
    }

    lm::Decoder decoder(std::size_t layer) const {
        lm::ModelConfig one = model_;
        one.layers = {model_.layers[layer]};
        one.tied = true;  // nobody asks for logits
        return lm::build_decoder(
            one, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
                if (name == "model.embed_tokens.weight")
                    return embedding_;
                std::string own = name;
                if (own.starts_with("model.layers.0."))
                    own = fmt::format("model.layers.{}.{}", layer, own.substr(15));
                return source_(own, shape);
            });
    }

    /// The layer's pages stop counting as this process's memory.
    void forget(std::size_t layer) const {
        std::string begin = fmt::format("model.layers.{}.", layer);
        for (const lm::FolderTensor& tensor : files_->tensors())
            if (tensor.info->name.starts_with(begin))
                tensor.forget();
    }

    void check() const { files_->check(); }

private:
    const lm::ModelConfig& model_;
    const Machine& machine_;
    std::shared_ptr<const lm::TensorFolder> files_;
    lm::TensorSource source_;
    at::Tensor embedding_;
};

struct Flowing {
    lm::Batch batch;
    at::Tensor x_TD;
};

void measure_streamed(const fs::path& folder,
                      const lm::ModelConfig& model,
                      const lm::Rows& rows,
                      const PassOptions& options,
                      const Machine& machine,
                      Measured& out) {
    OneLayer layers(folder, model, machine);
    Share share(options, machine);
    const std::int64_t at_once = std::max<std::int64_t>(1, options.streamed_rows / options.batch);
    for (std::int64_t begin = 0; begin < share.steps(); begin += at_once) {
        const std::int64_t end = std::min(share.steps(), begin + at_once);
        std::vector<Flowing> flowing;
        for (std::int64_t step = begin; step < end; ++step)
            if (share.count(step) > 0)
                flowing.push_back({batch_of_rows(rows, share.first(step), share.count(step)), {}});
        for (std::size_t layer = 0; layer < model.layers.size(); ++layer) {
            lm::Decoder decoder = layers.decoder(layer);
            for (Flowing& one : flowing) {
                if (layer == 0)
                    one.x_TD = lm::embed(decoder, one.batch);
                one.x_TD = lm::run_layers(
                    decoder, one.x_TD, one.batch, 0, 1, out.meter.watch(one.batch, layer));
            }
            decoder = {};
            layers.forget(layer);
            if (options.progress)
                options.progress(share.done(begin - 1) +
                                 (share.done(end - 1) - share.done(begin - 1)) *
                                     static_cast<std::int64_t>(layer + 1) /
                                     std::ssize(model.layers));
        }
        for (const Flowing& one : flowing)
            out.count(one.batch);
    }
    layers.check();
}

/// All lists behind one another, so that ranks add them in one go.
template <class Take>
void each_list(RawScores& raw, Take take) {
    for (auto* lists : {&raw.attention_input, &raw.mlp_input, &raw.ffn, &raw.heads})
        for (std::vector<double>& list : *lists)
            take(list);
    take(raw.layers);
    take(raw.stream);
}

void add_up(RawScores& raw, const lm::Comm& comm) {
    if (comm.size() == 1)
        return;
    std::vector<double> all{static_cast<double>(raw.rows), static_cast<double>(raw.tokens)};
    each_list(raw,
              [&](std::vector<double>& list) { all.insert(all.end(), list.begin(), list.end()); });
    at::Tensor sums = at::from_blob(all.data(), {std::ssize(all)}, at::kDouble);
    comm.sum(sums, "importance").wait();
    raw.rows = static_cast<std::int64_t>(all[0]);
    raw.tokens = static_cast<std::int64_t>(all[1]);
    auto next = all.begin() + 2;
    each_list(raw, [&](std::vector<double>& list) {
        std::copy_n(next, list.size(), list.begin());
        next += std::ssize(list);
    });
}

}  // namespace

lm::Batch batch_of_rows(const lm::Rows& rows, std::int64_t first, std::int64_t count) {
    std::vector<std::int32_t> row(static_cast<std::size_t>(rows.length()));
    std::vector<std::int64_t> ids;
    lm::Batch out;
    for (std::int64_t i = first; i < first + count; ++i) {
        std::int64_t length = rows.read(i, row);
        out.lengths.push_back(length);
        ids.insert(ids.end(), row.begin(), row.begin() + length);
    }
    out.ids_T = at::empty({std::ssize(ids)}, at::kLong);
    std::copy(ids.begin(), ids.end(), out.ids_T.mutable_data_ptr<std::int64_t>());
    return out;
}

RawScores measure(const fs::path& folder,
                  const lm::Rows& rows,
                  const PassOptions& options,
                  const Machine& machine) {
    c10::InferenceMode inference;
    lm::ModelConfig model = lm::ConfigFile::read(folder / "config.json").model();
    Measured out{.meter = Meter(model, options.hooks, machine.device)};
    if (options.stream)
        measure_streamed(folder, model, rows, options, machine, out);
    else
        measure_whole(folder, rows, options, machine, out);
    RawScores raw = out.meter.take(out.rows, out.tokens);
    add_up(raw, machine.comm);
    return raw;
}

std::uint64_t bytes_to_load(const fs::path& folder, at::ScalarType type) {
    std::uint64_t bytes = 0, each = type == at::kFloat ? 4 : 2;
    const int bits = static_cast<int>(each) * 8;
    lm::TensorFolder files = lm::TensorFolder::open(folder);
    for (const lm::FolderTensor& tensor : files.tensors()) {
        bool mapped = type == at::kFloat      ? tensor.info->dtype == lm::Dtype::f32
                      : type == at::kBFloat16 ? tensor.info->dtype == lm::Dtype::bf16
                                              : tensor.info->dtype == lm::Dtype::f16;
        if (!mapped)
            bytes += tensor.info->bytes * 8 /
                     static_cast<std::uint64_t>(lm::bits_of(tensor.info->dtype)) *
                     static_cast<std::uint64_t>(bits) / 8;
    }
    return bytes;
}

}  // namespace stillroom::prune
