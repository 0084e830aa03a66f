#include "plugins/prune/cut_tensors.h"

#include "engine/base/error.h"
#include "plugins/lm/weights/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace stillroom::prune {
namespace {

std::vector<std::int64_t> indices_of(const lm::Runs& runs) {
    std::vector<std::int64_t> out;
    for (const lm::Run& run : runs)
        for (std::int64_t i = 0; i < run.count; ++i)
            out.push_back(run.begin + i);
    return out;
}

/// Copies elements of a row by their indices: single channels are too short for a memcpy each.
template <class Element>
void gather(const std::byte* row, const std::vector<std::int64_t>& columns, std::byte* out) {
    for (std::size_t i = 0; i < columns.size(); ++i)
        std::memcpy(out + i * sizeof(Element),
                    row + static_cast<std::size_t>(columns[i]) * sizeof(Element),
                    sizeof(Element));
}

/// What is taken of one tensor, row by row; a vector is a column.
class Taking {
public:
    Taking(const lm::Slice& slice, const lm::FolderTensor& from)
        : from_(from),
          bytes_(from.bytes()),
          element_(static_cast<std::size_t>(lm::bits_of(from.info->dtype)) / 8),
          rows_(indices_of(slice.dims[0])),
          columns_(slice.dims.size() == 2 ? slice.dims[1] : lm::Runs{{0, 1}}),
          column_indices_(indices_of(columns_)),
          row_bytes_((slice.dims.size() == 2 ? static_cast<std::size_t>(from.info->shape[1]) : 1) *
                     element_) {}

    std::size_t rows() const { return rows_.size(); }
    std::size_t columns() const { return column_indices_.size(); }
    std::size_t bytes_of_row() const { return columns() * element_; }

    void take(std::size_t row, std::byte* out) const { take_source(rows_[row], out); }

    /// Rows from `row` on were taken, and will not be again but by those that take others in.
    void forget(std::size_t row, std::size_t count) const {
        const auto [first, last] =
            std::minmax_element(rows_.begin() + static_cast<std::ptrdiff_t>(row),
                                rows_.begin() + static_cast<std::ptrdiff_t>(row + count));
        from_.file->file().forget(
            from_.info->offset + static_cast<std::size_t>(*first) * row_bytes_,
            static_cast<std::size_t>(*last - *first + 1) * row_bytes_);
    }

    void take_source(std::int64_t row, std::byte* out) const {
        const std::byte* source = bytes_.data() + static_cast<std::size_t>(row) * row_bytes_;
        constexpr std::size_t kShort = 8;  // elements of a run
        if (column_indices_.size() < kShort * columns_.size()) {
            if (element_ == 2)
                return gather<std::uint16_t>(source, column_indices_, out);
            if (element_ == 4)
                return gather<std::uint32_t>(source, column_indices_, out);
        }
        for (const lm::Run& run : columns_) {
            auto count = static_cast<std::size_t>(run.count) * element_;
            std::memcpy(out, source + static_cast<std::size_t>(run.begin) * element_, count);
            out += count;
        }
    }

private:
    lm::FolderTensor from_;
    std::span<const std::byte> bytes_;
    std::size_t element_;
    std::vector<std::int64_t> rows_;
    lm::Runs columns_;
    std::vector<std::int64_t> column_indices_;
    std::size_t row_bytes_;
};

/// A row as floats, changed, and back again.
class Changing {
public:
    Changing(const Taking& taking, lm::Dtype dtype, const Change& change)
        : taking_(taking),
          dtype_(dtype),
          change_(change),
          bytes_(taking.bytes_of_row()),
          row_(taking.columns()),
          other_(taking.columns()) {}

    void take(std::size_t row, std::byte* out) {
        std::int64_t other = change_.others.empty() ? -1 : change_.others[row];
        taking_.take(row, out);
        if (other < 0 && change_.factor == 1)
            return;
        floats(out, row_);
        if (other >= 0) {
            taking_.take_source(other, bytes_.data());
            floats(bytes_.data(), other_);
            for (std::size_t i = 0; i < row_.size(); ++i)
                row_[i] += row_[i] - other_[i];
        }
        const auto one = static_cast<float>(change_.plus_one);
        if (change_.factor != 1)
            for (float& value : row_)
                value = static_cast<float>((double{value} + one) * change_.factor - one);
        lm::convert(
            lm::Dtype::f32, std::as_bytes(std::span(row_)), dtype_, {out, taking_.bytes_of_row()});
    }

private:
    void floats(const std::byte* from, std::vector<float>& to) const {
        lm::convert(dtype_,
                    {from, taking_.bytes_of_row()},
                    lm::Dtype::f32,
                    std::as_writable_bytes(std::span(to)));
    }

    const Taking& taking_;
    lm::Dtype dtype_;
    const Change& change_;
    std::vector<std::byte> bytes_;
    std::vector<float> row_, other_;
};

void write_rows(const lm::Slice& slice,
                const lm::FolderTensor& from,
                const Change& change,
                const lm::WriteBytes& write) {
    constexpr std::size_t kPiece = std::size_t{1} << 20;
    Taking taking(slice, from);
    Changing changing(taking, from.info->dtype, change);
    const std::size_t row_bytes = taking.bytes_of_row();
    const std::size_t at_once =
        std::max<std::size_t>(1, kPiece / std::max<std::size_t>(1, row_bytes));
    std::vector<std::byte> piece(std::min(at_once, taking.rows()) * row_bytes);
    for (std::size_t row = 0; row < taking.rows(); row += at_once) {
        const std::size_t some = std::min(at_once, taking.rows() - row);
        for (std::size_t i = 0; i < some; ++i)
            changing.take(row + i, piece.data() + i * row_bytes);
        write({piece.data(), some * row_bytes});
        taking.forget(row, some);
    }
    from.file->check();  // else what was read may be zeros
    from.forget();
}

std::vector<std::int64_t> kept(const lm::Keep& keep, std::int64_t size) {
    if (keep)
        return *keep;
    std::vector<std::int64_t> all(static_cast<std::size_t>(size));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

/// For each kept head, ascending, the head that it takes in, or -1.
std::vector<std::int64_t> taken_in(const std::vector<std::int64_t>& heads,
                                   const std::vector<std::int64_t>& groups,
                                   std::int64_t group,
                                   const std::vector<float>& scores) {
    std::vector<std::int64_t> out(heads.size(), -1);
    const auto each = heads.size() / groups.size();
    for (std::size_t g = 0; g < groups.size(); ++g) {
        std::vector<std::int64_t> ranks = descending(std::span(scores).subspan(
            static_cast<std::size_t>(groups[g] * group), static_cast<std::size_t>(group)));
        const auto kept_heads = static_cast<std::int64_t>(each);
        for (std::int64_t i = std::max<std::int64_t>(1, 2 * kept_heads - group + 1);
             i <= kept_heads;
             ++i) {
            std::int64_t head = groups[g] * group + ranks[static_cast<std::size_t>(i - 1)];
            std::int64_t other =
                groups[g] * group + ranks[static_cast<std::size_t>(2 * kept_heads - i)];
            auto at = std::lower_bound(heads.begin(), heads.end(), head) - heads.begin();
            out[static_cast<std::size_t>(at)] = other;
        }
    }
    return out;
}

/// rms of what stays over rms of all; squares are mean squares up to one factor.
double rms_ratio(const std::vector<double>& squares, const std::vector<std::int64_t>& stay) {
    double all = std::accumulate(squares.begin(), squares.end(), 0.0), some = 0;
    for (std::int64_t channel : stay)
        some += squares[static_cast<std::size_t>(channel)];
    if (all <= 0 || some <= 0)
        return 1;
    return std::sqrt((some / static_cast<double>(stay.size())) /
                     (all / static_cast<double>(squares.size())));
}

std::string_view mlp_norm(const lm::ModelConfig& model) {
    return model.four_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm";
}

std::vector<float> floats_of(const lm::FolderTensor& tensor) {
    std::vector<float> out(static_cast<std::size_t>(lm::elements(tensor.info->shape)));
    lm::convert(
        tensor.info->dtype, tensor.bytes(), lm::Dtype::f32, std::as_writable_bytes(std::span(out)));
    return out;
}

}  // namespace

void add_merged_heads(Changes& changes,
                      const lm::ModelConfig& model,
                      const lm::Cut& cut,
                      const Scores& scores) {
    const Shape shape = shape_of(model);
    const std::int64_t group = shape.heads / shape.kv_heads;
    const std::int64_t dim = model.layers.front().attention->head_dim;
    for (std::size_t i = 0; i < cut.layers.size(); ++i) {
        const lm::LayerCut& layer = cut.layers[i];
        if (!layer.heads)
            continue;
        std::vector<std::int64_t> others =
            taken_in(*layer.heads,
                     kept(layer.kv_heads, shape.kv_heads),
                     group,
                     scores.heads[static_cast<std::size_t>(layer.layer)]);
        Change change;
        for (std::int64_t other : others)
            for (std::int64_t k = 0; k < dim; ++k)
                change.others.push_back(other < 0 ? -1 : other * dim + k);
        std::string name = fmt::format("model.layers.{}.self_attn.q_proj", i);
        changes[name + ".weight"] = change;
        if (model.qkv_bias)
            changes[name + ".bias"] = std::move(change);
    }
}

NormFactors norm_factors(const lm::ModelConfig& model,
                         const std::vector<std::int64_t>& hidden,
                         const Scores& scores,
                         const lm::TensorFolder& files) {
    // A norm's output is its input over the rms, times the weight: take the weight out again.
    auto ratio = [&](std::vector<double> squares, std::size_t layer, std::string_view norm) {
        std::vector<float> weight =
            floats_of(files.at(fmt::format("model.layers.{}.{}.weight", layer, norm)));
        for (std::size_t i = 0; i < squares.size(); ++i) {
            double scale = double{weight[i]} + (model.norm == lm::Norm::rms ? 0 : 1);
            squares[i] = scale == 0 ? 0 : squares[i] / (scale * scale);
        }
        return rms_ratio(squares, hidden);
    };
    NormFactors out;
    for (std::size_t i = 0; i < model.layers.size(); ++i)
        out.layers.push_back(
            {.attention = ratio(scores.raw.attention_input[i], i, "input_layernorm"),
             .mlp = ratio(scores.raw.mlp_input[i], i, mlp_norm(model))});
    out.last = rms_ratio(scores.raw.stream, hidden);
    return out;
}

void add_rescaled_norms(Changes& changes,
                        const lm::ModelConfig& model,
                        const lm::Cut& cut,
                        const NormFactors& factors) {
    auto add = [&](const std::string& name, double factor) {
        Change& change = changes[fmt::format("model.{}.weight", name)];
        change.factor = factor;
        change.plus_one = model.norm != lm::Norm::rms;
    };
    for (std::size_t i = 0; i < cut.layers.size(); ++i) {
        const NormFactors::Of& of = factors.layers[static_cast<std::size_t>(cut.layers[i].layer)];
        add(fmt::format("layers.{}.input_layernorm", i), of.attention);
        add(fmt::format("layers.{}.{}", i, mlp_norm(model)), of.mlp);
    }
    add("norm", factors.last);
}

std::vector<lm::NewTensor> cut_tensors(const lm::TensorFolder& files,
                                       const lm::ModelConfig& model,
                                       const lm::Cut& cut,
                                       const Changes& changes) {
    std::vector<lm::NewTensor> out;
    static const Change kNone;
    for (lm::Slice& slice : lm::slices(model, cut)) {
        lm::FolderTensor from = files.at(slice.source);
        auto change = changes.find(slice.weight.name);
        lm::NewTensor tensor;
        tensor.info.name = slice.weight.name;
        tensor.info.dtype = from.info->dtype;
        for (const lm::Runs& runs : slice.dims)
            tensor.info.shape.push_back(lm::count_of(runs));
        if (slice.is_whole && change == changes.end())
            tensor.from = from;
        else
            tensor.make = [from, slice = std::move(slice), change, &changes](
                              const lm::WriteBytes& write) {
                write_rows(slice, from, change == changes.end() ? kNone : change->second, write);
            };
        out.push_back(std::move(tensor));
    }
    return out;
}

}  // namespace stillroom::prune
