#include "plugins/prune/pass.h"

#include "plugins/lm/config/config_file.h"
#include "plugins/lm/modules/load.h"
#include "plugins/lm/parallel/crossing.h"
#include "plugins/lm/parallel/part_source.h"
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

constexpr const char* kEmbedding = "model.embed_tokens.weight";

/// Rows of one rank, in batches.
class Share {
public:
    Share(const PassOptions& options, const lm::Mesh& mesh)
        : total_(options.rows),
          batch_(options.batch),
          ranks_(mesh.layout.data),
          rank_(mesh.place.data) {}

    /// Steps that all ranks make together; some of the last have no batch for a rank.
    std::int64_t steps() const { return (total_ + batch_ * ranks_ - 1) / (batch_ * ranks_); }
    std::int64_t first(std::int64_t step) const { return (step * ranks_ + rank_) * batch_; }
    std::int64_t count(std::int64_t step) const {
        return std::clamp<std::int64_t>(total_ - first(step), 0, batch_);
    }
    std::int64_t done(std::int64_t step) const {
        return std::min(total_, (step + 1) * batch_ * ranks_);
    }

private:
    std::int64_t total_, batch_, ranks_, rank_;
};

/// Layers that a stage of a pipeline has at most, of any.
int most_layers(const lm::Layout& layout, int all) {
    return layout.stage_layers.empty()
               ? all
               : *std::max_element(layout.stage_layers.begin(), layout.stage_layers.end());
}

/// Nobody asks for logits.
lm::ModelPart without_head(lm::ModelPart part) {
    part.config.tied = true;
    std::erase_if(part.weights, [&](const lm::HeldWeight& held) {
        return held.name == "lm_head.weight" || (held.name == kEmbedding && !part.embeds);
    });
    return part;
}

/// A rank's pass over its rows.
class Measuring {
public:
    Measuring(const fs::path& folder,
              const lm::ModelConfig& model,
              const lm::Rows& rows,
              const PassOptions& options,
              const Machine& machine)
        : model_(model),
          rows_(rows),
          options_(options),
          machine_(machine),
          part_(without_head(machine.part_of(model))),
          share_(options, machine.mesh),
          line_(machine),
          meter_(model, part_, machine.mesh.place.tensor == 0, options.hooks, machine.device),
          files_(std::make_shared<const lm::TensorFolder>(lm::TensorFolder::open(folder))),
          source_(lm::tensor_source(files_, machine.device, machine.type)) {
        lm::ConfigFile config = lm::ConfigFile::read(folder / "config.json");
        if (lm::strict_check(config, lm::weight_table(model), *files_).has_tied_head)
            lm::check_tied_head(*files_);
    }

    RawScores run() {
        options_.stream ? run_streamed() : run_whole();
        line_.wait();
        files_->check();
        const bool counts = line_.is_first() && machine_.mesh.place.tensor == 0;
        return meter_.take(counts ? measured_rows_ : 0, counts ? measured_tokens_ : 0);
    }

private:
    void run_whole() {
        lm::Decoder decoder = lm::build_part(part_, source_, kind());
        decoder.crossing = crossing();
        for (std::int64_t step = 0; step < share_.steps(); ++step) {
            if (share_.count(step) > 0) {
                lm::Batch batch = batch_of(step);
                at::Tensor x_TD = begin(decoder, batch);
                x_TD = lm::run_layers(
                    decoder, x_TD, batch, part_.first_layer, part_.last_layer, meter_.watch(batch));
                end(batch, x_TD);
            }
            tell(share_.done(step));
        }
    }

    /// Each layer is taken in once for as many rows as there is room for.
    void run_streamed() {
        const std::int64_t at_once =
            std::max<std::int64_t>(1, options_.streamed_rows / options_.batch);
        for (std::int64_t first = 0; first < share_.steps(); first += at_once) {
            const std::int64_t last = std::min(share_.steps(), first + at_once);
            std::vector<std::pair<lm::Batch, at::Tensor>> flowing;
            for (std::int64_t step = first; step < last; ++step)
                if (share_.count(step) > 0)
                    flowing.emplace_back(batch_of(step), at::Tensor());
            stream(flowing, share_.done(first - 1), share_.done(last - 1));
            for (const auto& [batch, x_TD] : flowing)
                end(batch, x_TD);
        }
    }

    void stream(std::vector<std::pair<lm::Batch, at::Tensor>>& flowing,
                std::int64_t rows_before,
                std::int64_t rows_after) {
        // Stages of fewer layers tell as often as the others.
        const int turns = most_layers(machine_.mesh.layout, static_cast<int>(model_.layers.size()));
        for (int turn = 0; turn < turns; ++turn) {
            const std::size_t layer = part_.first_layer + static_cast<std::size_t>(turn);
            if (layer < part_.last_layer) {
                lm::Decoder decoder = one_layer(layer);
                for (auto& [batch, x_TD] : flowing) {
                    if (turn == 0)
                        x_TD = begin(decoder, batch);
                    x_TD = lm::run_layers(decoder, x_TD, batch, 0, 1, meter_.watch(batch, layer));
                }
                decoder = {};
                forget(layer);
            }
            tell(rows_before + (rows_after - rows_before) * (turn + 1) / turns);
        }
    }

    lm::Batch batch_of(std::int64_t step) const {
        return batch_of_rows(rows_, share_.first(step), share_.count(step));
    }

    at::Tensor begin(const lm::Decoder& decoder, const lm::Batch& batch) const {
        return line_.is_first() ? lm::embed(decoder, batch)
                                : line_.receive(batch.ids_T.size(0), model_.hidden);
    }

    void end(const lm::Batch& batch, const at::Tensor& x_TD) {
        if (!line_.is_last())
            line_.send(x_TD);
        measured_rows_ += std::ssize(batch.lengths);
        measured_tokens_ += batch.ids_T.size(0);
    }

    void tell(std::int64_t done) const {
        if (options_.progress)
            options_.progress(done);
    }

    at::TensorOptions kind() const {
        return at::TensorOptions().dtype(machine_.type).device(machine_.device);
    }

    lm::Crossing crossing() const {
        return machine_.mesh.layout.tensor > 1 ? lm::crossing_of(machine_.mesh.tensor, false)
                                               : lm::Crossing();
    }

    /// A decoder of this one layer, with the embedding where it is here.
    lm::Decoder one_layer(std::size_t layer) {
        lm::ModelPart one = part_;
        one.config.layers = {part_.config.layers[layer]};
        const std::string begin = fmt::format("model.layers.{}.", layer);
        std::erase_if(one.weights, [&](const lm::HeldWeight& held) {
            return !held.name.starts_with(begin) && held.name != kEmbedding;
        });
        for (lm::HeldWeight& held : one.weights)
            if (held.name.starts_with(begin))
                held.name = "model.layers.0." + held.name.substr(begin.size());
        lm::Decoder decoder = lm::build_part(
            one,
            [&](const std::string& name, const std::vector<std::int64_t>& shape) {
                if (name == kEmbedding)
                    return embedding(shape);
                return source_(begin + name.substr(std::string_view("model.layers.0.").size()),
                               shape);
            },
            kind());
        decoder.crossing = crossing();
        return decoder;
    }

    /// Kept from layer to layer.
    at::Tensor embedding(const std::vector<std::int64_t>& shape) {
        if (!embedding_.defined())
            embedding_ = source_(kEmbedding, shape);
        return embedding_;
    }

    /// The layer's pages stop counting as this process's memory.
    void forget(std::size_t layer) const {
        const std::string begin = fmt::format("model.layers.{}.", layer);
        for (const lm::FolderTensor& tensor : files_->tensors())
            if (tensor.info->name.starts_with(begin))
                tensor.forget();
    }

    const lm::ModelConfig& model_;
    const lm::Rows& rows_;
    const PassOptions& options_;
    const Machine& machine_;
    lm::ModelPart part_;
    Share share_;
    Line line_;
    Meter meter_;
    std::shared_ptr<const lm::TensorFolder> files_;
    lm::TensorSource source_;
    at::Tensor embedding_;
    std::int64_t measured_rows_ = 0, measured_tokens_ = 0;
};

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
    RawScores raw = Measuring(folder, model, rows, options, machine).run();
    add_up(raw, machine.world());
    return raw;
}

std::size_t calls_ahead(const PassOptions& options, const lm::Layout& layout) {
    const int of_a_window = options.stream ? most_layers(layout, 1) : 1;
    return static_cast<std::size_t>(layout.pipeline * of_a_window);
}

std::uint64_t bytes_to_load(const fs::path& folder,
                            const lm::ModelPart& part,
                            at::ScalarType type) {
    const lm::Dtype wanted = type == at::kFloat      ? lm::Dtype::f32
                             : type == at::kBFloat16 ? lm::Dtype::bf16
                                                     : lm::Dtype::f16;
    const std::uint64_t each = type == at::kFloat ? 4 : 2;
    std::uint64_t bytes = 0;
    lm::TensorFolder files = lm::TensorFolder::open(folder);
    for (const lm::HeldWeight& held : part.weights)
        if (!held.is_whole() || files.at(held.name).info->dtype != wanted)
            bytes += static_cast<std::uint64_t>(lm::elements(held.shape)) * each;
    return bytes;
}

}  // namespace stillroom::prune
