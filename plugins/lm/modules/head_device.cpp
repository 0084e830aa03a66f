#include "plugins/lm/modules/head_engine.h"
#include "plugins/lm/modules/linear.h"
#include "plugins/lm/modules/on_device.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/tanh.h>

#include <algorithm>
#include <cstring>
#include <utility>

// The products are LibTorch's, into one buffer of a chunk's logits for each side that is used
// again; between them a kernel goes over both once to add them up and once to turn the student's
// into slopes where they lie. The host sees a few numbers of each row in between.

// N rows of a chunk, V words, D hidden

namespace stillroom::lm {
namespace {

constexpr std::int64_t kRowsAtOnce = 2048;  // reading the weights again costs a tenth of a product
constexpr std::int64_t kStep = 8;           // rows of logits begin on 16 bytes

class DeviceEngine final : public HeadEngine {
public:
    DeviceEngine(const HeadBatch& batch,
                 const HeadTerms& terms,
                 std::int64_t words,
                 std::int64_t most_rows,
                 const DeviceKernels& kernels)
        : batch_(batch),
          terms_(terms),
          words_(words),
          kernels_(kernels) {
        std::int64_t rows =
            batch.rows_at_once > 0 ? batch.rows_at_once : std::min(most_rows, kRowsAtOnce);
        std::int64_t stride = (words + kStep - 1) / kStep * kStep;
        at::TensorOptions like = batch.student.weight_VD.options();
        s_NV_ = at::empty({rows, stride}, like);
        if (terms.kl)
            t_NV_ = at::empty({rows, stride}, like);
    }

    std::int64_t suitable_rows() const override { return s_NV_.size(0); }

    std::vector<RowSums> add_up(std::span<const std::int64_t> rows,
                                std::span<const std::int64_t> labels) override {
        rows_N_ = on_device(rows);
        labels_N_ = on_device(labels);
        multiply_into(s_NV_, batch_.student);
        if (terms_.kl)
            multiply_into(t_NV_, *batch_.teacher);
        at::Tensor sums = at::empty({count() * std::int64_t{sizeof(RowSums)}},
                                    rows_N_.options().dtype(at::kByte));
        queue_kernel(sums, kernels_, "logit_sums", [&](CUstream_st* stream) {
            return kernels_.logit_sums(logits(HeadRows::sums_of(terms_)),
                                       labels_N_.const_data_ptr<std::int64_t>(),
                                       static_cast<RowSums*>(sums.mutable_data_ptr()),
                                       stream);
        });
        std::vector<RowSums> out(rows.size());
        std::memcpy(out.data(), sums.cpu().const_data_ptr(), out.size() * sizeof(RowSums));
        for (RowSums& row : out) {
            row.t_first += batch_.shard.first;
            row.s_first += batch_.shard.first;
        }
        return out;
    }

    std::vector<std::vector<TopToken>> top_tokens() override {
        auto [t_NK, words_NK] = used(t_NV_).topk(std::min(terms_.kl->top_k, words_), 1);
        at::Tensor words = words_NK.cpu();
        at::Tensor s_NK = shaped(used(s_NV_).gather(1, words_NK), batch_.student.cap).cpu();
        t_NK = shaped(t_NK, batch_.teacher->cap).cpu();
        std::vector<std::vector<TopToken>> out(static_cast<std::size_t>(count()));
        std::int64_t i = 0;
        for (std::vector<TopToken>& row : out)
            for (std::int64_t k = 0; k < words.size(1); k++, i++)
                row.push_back({.word = batch_.shard.first + words.const_data_ptr<std::int64_t>()[i],
                               .t = t_NK.const_data_ptr<float>()[i],
                               .s = s_NK.const_data_ptr<float>()[i]});
        return out;
    }

    MixtureSums add_up_mixture(const LaneSlopes& slopes) override {
        RowSlopes rows;
        at::Tensor numbers = on_device_rows({&slopes.t_log, &slopes.s_log});
        rows.t_log = row_of(numbers, 0), rows.s_log = row_of(numbers, 1);
        at::Tensor sums_N2 = at::empty({count(), 2}, rows_N_.options().dtype(at::kDouble));
        queue_kernel(sums_N2, kernels_, "logit_mixture", [&](CUstream_st* stream) {
            return kernels_.logit_mixture(
                logits(Divergence::jsd), rows, sums_N2.mutable_data_ptr<double>(), stream);
        });
        at::Tensor sums = sums_N2.cpu();
        const auto* from = sums.const_data_ptr<double>();
        MixtureSums out;
        for (std::int64_t row = 0; row < count(); row++, from += 2) {
            out.teacher.push_back(from[0]);
            out.student.push_back(from[1]);
        }
        return out;
    }

    void make_slopes(const HeadRows& chunk, const HeadSlopes& into) override {
        LaneSlopes slopes = chunk.slopes();
        Given given = given_slopes(chunk);
        for (std::size_t row : chunk.dead())
            slopes.teacher[row] = slopes.student[row] = slopes.ratio[row] = slopes.plain[row] = 0;
        at::Tensor numbers = on_device_rows({&slopes.t_log,
                                             &slopes.s_log,
                                             &slopes.teacher,
                                             &slopes.student,
                                             &slopes.ratio,
                                             &slopes.s_most,
                                             &slopes.plain,
                                             &given.label_slope});
        at::Tensor begins, given_words, values;
        RowSlopes rows{.t_log = row_of(numbers, 0),
                       .s_log = row_of(numbers, 1),
                       .teacher = row_of(numbers, 2),
                       .student = row_of(numbers, 3),
                       .ratio = row_of(numbers, 4),
                       .s_most = row_of(numbers, 5),
                       .plain = row_of(numbers, 6),
                       .label = labels_N_.const_data_ptr<std::int64_t>(),
                       .label_slope = row_of(numbers, 7)};
        if (!given.words.empty()) {
            begins = on_device(given.begins);
            given_words = on_device(given.words);
            values = on_device(given.values);
            rows.begins = begins.const_data_ptr<std::int64_t>();
            rows.words = given_words.const_data_ptr<std::int64_t>();
            rows.values = values.mutable_data_ptr<float>();
        }
        queue_kernel(s_NV_, kernels_, "logit_slopes", [&](CUstream_st* stream) {
            return kernels_.logit_slopes(logits(HeadRows::slopes_of(terms_)), rows, stream);
        });
        multiply(used(s_NV_), into);
    }

private:
    /// What no formula gives: what is added to the label's slope, and slopes of single words, those
    /// of a row one behind another.
    struct Given {
        std::vector<float> label_slope;
        std::vector<std::int64_t> begins, words;
        std::vector<float> values;
    };

    Given given_slopes(const HeadRows& chunk) const {
        Given out;
        auto rows = static_cast<std::size_t>(count());
        out.label_slope.resize(rows);
        std::vector<std::vector<std::pair<std::int64_t, float>>> of_row(rows);
        for (const Patch& patch : chunk.patches()) {  // by word, what replaces first
            std::int64_t word = patch.word - batch_.shard.first;
            auto& row = of_row[patch.lane];
            if (word < 0 || word >= words_)
                continue;
            if (patch.replaces)
                row.emplace_back(word, patch.value);
            else if (!row.empty() && row.back().first == word)
                row.back().second += patch.value;
            else
                out.label_slope[patch.lane] += patch.value;
        }
        out.begins.push_back(0);
        for (const auto& row : of_row) {
            for (auto [word, value] : row) {
                out.words.push_back(word);
                out.values.push_back(value);
            }
            out.begins.push_back(std::ssize(out.words));
        }
        return out;
    }

    std::int64_t count() const { return rows_N_.size(0); }

    /// Of a buffer what the chunk at hand has.
    at::Tensor used(const at::Tensor& buffer_NV) const {
        return buffer_NV.narrow(0, 0, count()).narrow(1, 0, words_);
    }

    void multiply_into(const at::Tensor& buffer_NV, const HeadSide& side) const {
        at::Tensor x_ND = side.hidden_TD.index_select(0, rows_N_), out_NV = used(buffer_NV);
        at::mm_out(out_NV, x_ND, side.weight_VD.narrow(0, 0, words_).t());
    }

    LogitRows logits(Divergence divergence) const {
        return {.t = terms_.kl ? t_NV_.const_data_ptr() : nullptr,
                .s = s_NV_.mutable_data_ptr(),
                .halves = s_NV_.scalar_type() == at::kBFloat16,
                .rows = count(),
                .words = words_,
                .stride = s_NV_.size(1),
                .t_cap = batch_.teacher ? static_cast<float>(batch_.teacher->cap.value_or(0)) : 0,
                .s_cap = static_cast<float>(batch_.student.cap.value_or(0)),
                .temperature = terms_.kl ? static_cast<float>(terms_.kl->temperature) : 1,
                .beta = terms_.kl ? static_cast<float>(terms_.kl->beta) : 0,
                .divergence = divergence};
    }

    at::Tensor shaped(const at::Tensor& logits, std::optional<double> cap) const {
        at::Tensor out = logits.to(at::kFloat);
        if (cap)
            out = at::tanh(out / *cap) * *cap;
        return out / terms_.kl->temperature;
    }

    template <class Numbers>
    at::Tensor on_device(const Numbers& numbers) const {
        constexpr bool kFloats = sizeof(numbers[0]) == sizeof(float);
        at::Tensor out = at::empty({std::ssize(numbers)}, kFloats ? at::kFloat : at::kLong);
        std::memcpy(out.mutable_data_ptr(), numbers.data(), out.nbytes());
        return sent_to(s_NV_.device(), out);
    }

    /// In one copy: a number of each row, of each kind.
    at::Tensor on_device_rows(std::initializer_list<const std::vector<float>*> kinds) const {
        at::Tensor out = at::empty({std::ssize(kinds), count()}, at::kFloat);
        auto* to = out.mutable_data_ptr<float>();
        for (const std::vector<float>* kind : kinds)
            to = std::copy_n(kind->begin(), count(), to);
        return sent_to(s_NV_.device(), out);
    }
    static const float* row_of(const at::Tensor& numbers, std::int64_t kind) {
        return numbers.const_data_ptr<float>() + kind * numbers.size(1);
    }

    void multiply(const at::Tensor& d_NV, const HeadSlopes& into) const {
        const HeadSide& side = batch_.student;
        at::Tensor weight_VD = side.weight_VD.narrow(0, 0, words_);
        into.hidden_TD.index_copy_(
            0, rows_N_, at::mm(d_NV, weight_VD).to(into.hidden_TD.scalar_type()));
        if (into.weight_VD.defined())
            add_product(into.weight_VD.narrow(0, 0, words_),
                        d_NV.t(),
                        side.hidden_TD.index_select(0, rows_N_));
    }

    const HeadBatch& batch_;
    const HeadTerms& terms_;
    std::int64_t words_;
    const DeviceKernels& kernels_;
    at::Tensor s_NV_, t_NV_;        // of a chunk, as they come out of the product
    at::Tensor rows_N_, labels_N_;  // of the chunk at hand
};

}  // namespace

std::unique_ptr<HeadEngine> device_head_engine(const HeadBatch& batch,
                                               const HeadTerms& terms,
                                               std::int64_t words,
                                               std::int64_t most_rows,
                                               const DeviceKernels& kernels) {
    return std::make_unique<DeviceEngine>(batch, terms, words, most_rows, kernels);
}

}  // namespace stillroom::lm
