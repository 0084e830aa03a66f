#include "plugins/lm/kernels/panel_product.h"
#include "plugins/lm/modules/fused.h"
#include "plugins/lm/modules/head_engine.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <vector>

// Each thread has a strip of the vocabulary and goes over it by the block, once a chunk: it turns
// the chunk before's logits of the block into slopes, multiplies those by what the head and the
// rows are, then makes both sides' logits of this chunk in their place and adds them up. Between
// two sweeps all that is known of a row comes together. So the student's weights are read from
// memory once a chunk, straight from where they lie, and logits are written where they were just
// read. Where slopes need nothing but the powers of logits, these are kept in their place.

namespace stillroom::lm {
namespace {

constexpr std::int64_t kChunkBytes = 59 << 20;             // of logits of both sides
constexpr std::int64_t kFewestRows = 48, kMostRows = 192;  // as many as make products fast
constexpr std::int64_t kBlockFloats = 1 << 16;  // of a weight: a quarter of a core's cache
constexpr std::int64_t kFewestWords = 24, kMostWords = 192;

std::int64_t rounded_up(std::int64_t value, std::int64_t step) {
    return (value + step - 1) / step * step;
}

/// A head's weights where they lie.
class Weight {
public:
    explicit Weight(const at::Tensor& weight_VD)
        : tensor_(usable(weight_VD)),
          halves_(tensor_.scalar_type() == at::kBFloat16) {}

    std::int64_t width() const { return tensor_.size(1); }

    /// Some words' in fp32: themselves, or widened into `scratch`.
    const float* block(Tier tier, std::int64_t first, std::int64_t words, float* scratch) const {
        if (!halves_)
            return elements_of<float>(tensor_) + first * tensor_.stride(0);
        const Bf16* from = elements_of<Bf16>(tensor_) + first * tensor_.stride(0);
        auto width = static_cast<std::size_t>(this->width());
        for (std::int64_t i = 0; i < words; i++, from += tensor_.stride(0), scratch += width)
            widen(tier, from, scratch, width);
        return scratch - words * this->width();
    }
    std::int64_t row() const { return halves_ ? width() : tensor_.stride(0); }

    /// What the words after a block are in memory.
    const void* at(std::int64_t word) const {
        return static_cast<const char*>(tensor_.const_data_ptr()) +
               word * tensor_.stride(0) * static_cast<std::int64_t>(tensor_.element_size());
    }
    std::int64_t bytes(std::int64_t words) const {
        return words * tensor_.stride(0) * static_cast<std::int64_t>(tensor_.element_size());
    }

private:
    static at::Tensor usable(const at::Tensor& x) {
        bool known = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
        at::Tensor out = known ? x : x.to(at::kFloat);
        return out.stride(1) == 1 || out.size(1) == 1 ? out : out.contiguous();
    }

    at::Tensor tensor_;
    bool halves_;
};

/// One side of a chunk.
struct Side {
    Side(const HeadSide& from, std::int64_t lanes)
        : hidden_TD(from.hidden_TD.contiguous()),
          weight(from.weight_VD),
          cap(from.cap),
          rows(at::empty({lanes * weight.width()}, at::kFloat)),
          turned(at::empty({lanes * weight.width()}, at::kFloat)) {}

    /// The hidden states of a chunk's rows, and the same over the temperature with a row in each
    /// lane. Under a cap the temperature comes after it.
    void pack(std::span<const std::int64_t> indices, std::int64_t lanes, double temperature) {
        std::int64_t width = weight.width(), count = std::ssize(indices);
        float* row = mutable_elements_of<float>(rows);
        float* turn = mutable_elements_of<float>(turned);
        float share = cap ? 1.0F : static_cast<float>(1 / temperature);
        for (std::size_t i = 0; i < indices.size(); i++)
            at::from_blob(row + static_cast<std::int64_t>(i) * width, {width}, at::kFloat)
                .copy_(hidden_TD.select(0, indices[i]));
        for (std::int64_t k = 0; k < width; k++)
            for (std::int64_t i = 0; i < lanes; i++)
                turn[k * lanes + i] = i < count ? row[i * width + k] * share : 0.0F;
    }

    at::Tensor hidden_TD;
    Weight weight;
    std::optional<double> cap;
    at::Tensor rows;    // [lanes, D]
    at::Tensor turned;  // [D, lanes]
};

/// A chunk whose logits wait for the next sweep to become slopes.
struct Waiting {
    std::span<const std::int64_t> rows;
    std::int64_t lanes;
    LaneSlopes slopes;
    std::vector<Patch> patches;
    std::vector<std::size_t> dead;
    HeadSlopes into;
};

class CpuEngine final : public HeadEngine {
public:
    CpuEngine(const HeadBatch& batch,
              const HeadTerms& terms,
              std::int64_t words,
              std::int64_t most_rows)
        : shard_first_(batch.shard.first),
          terms_(terms),
          tier_(best_tier()),
          temperature_(terms.kl ? terms.kl->temperature : 1),
          beta_(terms.kl ? terms.kl->beta : 0),
          vocab_(words) {
        std::int64_t rows = most_rows > 0 ? std::min(most_rows, suitable_rows()) : suitable_rows();
        if (batch.rows_at_once > 0)
            rows = batch.rows_at_once;
        std::int64_t lanes = rounded_up(rows, kLaneStep);
        student_.emplace(batch.student, lanes);
        if (terms.kl)
            teacher_.emplace(*batch.teacher, lanes);
        word_floats_ = lanes * sides();
        logits_ = at::empty({vocab_ * word_floats_}, at::kFloat);
        waiting_rows_ = at::empty_like(student_->rows);
        block_ = std::clamp(kBlockFloats / widest() / 24 * 24, kFewestWords, kMostWords);
        strips_ =
            std::clamp<std::int64_t>(at::get_num_threads(), 1, (vocab_ + block_ - 1) / block_);
        scratch_ = at::empty({strips_, block_ * (widest() + word_floats_)}, at::kFloat);
        Divergence kind = HeadRows::sums_of(terms);
        keeps_powers_ = (kind == Divergence::forward || kind == Divergence::student) &&
                        temperature_ == 1 && !student_->cap;
        if (keeps_powers_)
            mosts_ = at::empty({(vocab_ + block_ - 1) / block_ * word_floats_}, at::kFloat);
        hidden_slopes_ = at::empty({strips_, rows * student_->weight.width()}, at::kFloat);
    }

    std::int64_t suitable_rows() const override {
        std::int64_t row = vocab_ * (terms_.kl ? 2 : 1) * static_cast<std::int64_t>(sizeof(float));
        return std::clamp(kChunkBytes / row / kFewestRows * kFewestRows, kFewestRows, kMostRows);
    }

    std::vector<RowSums> add_up(std::span<const std::int64_t> rows,
                                std::span<const std::int64_t> labels) override {
        rows_ = rows;
        count_ = std::ssize(rows);
        lanes_ = rounded_up(count_, kLaneStep);
        student_->pack(rows_, lanes_, temperature_);
        if (teacher_)
            teacher_->pack(rows_, lanes_, temperature_);
        std::size_t top_k = terms_.kl ? size(terms_.kl->top_k) : 0;
        Divergence kind = HeadRows::sums_of(terms_);
        std::vector<LaneSums> sums(size(strips_), LaneSums(size(lanes_), kind, temperature_));
        tops_.assign(top_k > 0 ? size(strips_) : 0, TopTokens(size(lanes_), top_k));
        std::vector<RowSums> out(rows.size());
        for_each_strip([&](std::int64_t strip) {
            begin_slopes(strip);
            for_each_block(strip, [&](std::int64_t first, std::int64_t words) {
                make_slopes(strip, first, words, /*logits_follow=*/true);
                float* t = keeps_powers_ ? block_scratch(strip) : logits(first);
                float* s = beside(t, words, lanes_);
                if (teacher_)
                    make_logits(*teacher_, strip, first, words, t);
                make_logits(*student_, strip, first, words, s);
                LanePowers kept = powers(first, words, lanes_);
                sums[size(strip)].add(tier_,
                                      t,
                                      s,
                                      size(words),
                                      shard_first_ + first,
                                      keeps_powers_ ? &kept : nullptr);
                if (top_k > 0)
                    tops_[size(strip)].add(t, s, size(words), shard_first_ + first);
                for (std::size_t lane = 0; lane < out.size(); lane++)
                    if (labels[lane] >= first && labels[lane] < first + words)
                        out[lane].label = double{s[size((labels[lane] - first) * lanes_) + lane]};
            });
        });
        end_slopes();
        for (std::size_t lane = 0; lane < out.size(); lane++)
            for (const LaneSums& strip : sums)
                out[lane].merge(strip.row(lane), kind, temperature_);
        return out;
    }

    std::vector<std::vector<TopToken>> top_tokens() override {
        std::vector<std::vector<TopToken>> out(size(count_));
        for (std::size_t lane = 0; lane < out.size(); lane++) {
            for (const TopTokens& strip : tops_)
                for (const TopToken& token : strip.row(lane))
                    out[lane].push_back(token);
            keep_top(out[lane], size(terms_.kl->top_k));
        }
        return out;
    }

    MixtureSums add_up_mixture(const LaneSlopes& slopes) override {
        auto zeros = [&] { return std::vector<double>(size(lanes_)); };
        std::vector<MixtureSums> sums(size(strips_), {.teacher = zeros(), .student = zeros()});
        for_each_strip([&](std::int64_t strip) {
            MixtureSums& own = sums[size(strip)];
            for_each_block(strip, [&](std::int64_t first, std::int64_t words) {
                mixture_block(tier_,
                              slopes,
                              beta_,
                              logits(first),
                              beside(logits(first), words, lanes_),
                              size(words),
                              own.teacher,
                              own.student);
            });
        });
        for (std::size_t strip = 1; strip < sums.size(); strip++)
            for (std::size_t lane = 0; lane < size(lanes_); lane++) {
                sums[0].teacher[lane] += sums[strip].teacher[lane];
                sums[0].student[lane] += sums[strip].student[lane];
            }
        sums[0].teacher.resize(size(count_));
        sums[0].student.resize(size(count_));
        return sums[0];
    }

    void make_slopes(const HeadRows& chunk, const HeadSlopes& into) override {
        waiting_.emplace(Waiting{.rows = rows_,
                                 .lanes = lanes_,
                                 .slopes = chunk.slopes(),
                                 .patches = chunk.patches(),
                                 .dead = chunk.dead(),
                                 .into = into});
        std::swap(waiting_rows_, student_->rows);
    }

    void finish() override {
        if (!waiting_)
            return;
        for_each_strip([&](std::int64_t strip) {
            begin_slopes(strip);
            for_each_block(strip, [&](std::int64_t first, std::int64_t words) {
                make_slopes(strip, first, words, /*logits_follow=*/false);
            });
        });
        end_slopes();
    }

private:
    void begin_slopes(std::int64_t strip) const {
        if (waiting_)
            std::fill_n(hidden_part(strip), hidden_size(), 0.0F);
    }

    /// Of a block, and what they are times the head and times the rows.
    void make_slopes(std::int64_t strip,
                     std::int64_t first,
                     std::int64_t words,
                     bool logits_follow) const {
        if (!waiting_)
            return;
        float* d = block_scratch(strip);
        slopes_of_block(first, words, d);
        add_products(strip, first, words, d, logits_follow);
    }

    void end_slopes() {
        if (!waiting_)
            return;
        float* sum = hidden_part(0);
        for (std::int64_t strip = 1; strip < strips_; strip++) {
            const float* part = hidden_part(strip);
            for (std::int64_t i = 0; i < hidden_size(); i++)
                sum[i] += part[i];
        }
        std::int64_t width = student_->weight.width();
        for (std::int64_t row : waiting_->rows) {
            waiting_->into.hidden_TD.select(0, row).copy_(at::from_blob(sum, {width}, at::kFloat));
            sum += width;
        }
        waiting_.reset();
    }

    std::int64_t hidden_size() const {
        return std::ssize(waiting_->rows) * student_->weight.width();
    }

    std::int64_t widest() const {
        std::int64_t width = student_->weight.width();
        return teacher_ ? std::max(width, teacher_->weight.width()) : width;
    }

    /// Words [begin, end) of a strip, each block of it.
    template <class Work>
    void for_each_block(std::int64_t strip, const Work& work) const {
        std::int64_t blocks = (vocab_ + block_ - 1) / block_;
        std::int64_t first = blocks * strip / strips_, last = blocks * (strip + 1) / strips_;
        for (std::int64_t block = first; block < last; block++)
            work(block * block_, std::min(block_, vocab_ - block * block_));
    }

    template <class Work>
    void for_each_strip(const Work& work) const {
        at::parallel_for(0, strips_, 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t strip = begin; strip < end; strip++)
                work(strip);
        });
    }

    float* scratch(std::int64_t strip) const {
        return mutable_elements_of<float>(scratch_) + strip * scratch_.size(1);
    }
    float* block_scratch(std::int64_t strip) const { return scratch(strip) + block_ * widest(); }

    void make_logits(const Side& side,
                     std::int64_t strip,
                     std::int64_t first,
                     std::int64_t words,
                     float* into) const {
        std::int64_t width = side.weight.width();
        multiply(tier_,
                 {.rows = size(words),
                  .columns = size(lanes_),
                  .depth = size(width),
                  .a = side.weight.block(tier_, first, words, scratch(strip)),
                  .a_row = size(side.weight.row()),
                  .b = elements_of<float>(side.turned),
                  .b_row = size(lanes_),
                  .c = into,
                  .c_row = size(lanes_),
                  .next = side.weight.at(first + words),
                  .next_bytes = size(side.weight.bytes(words))});
        if (side.cap)
            cap_block(tier_, into, size(words * lanes_), *side.cap, temperature_);
    }

    float* hidden_part(std::int64_t strip) const {
        return mutable_elements_of<float>(hidden_slopes_) + strip * hidden_slopes_.size(1);
    }

    void slopes_of_block(std::int64_t first, std::int64_t words, float* d) const {
        std::int64_t lanes = waiting_->lanes;
        const std::vector<Patch>& patches = waiting_->patches;
        const float *t = logits(first), *s = beside(logits(first), words, lanes);
        Divergence kind = HeadRows::slopes_of(terms_);
        if (keeps_powers_)
            power_slope_block(
                tier_, kind, waiting_->slopes, powers(first, words, lanes), d, size(words));
        else
            slope_block(tier_, kind, waiting_->slopes, beta_, temperature_, t, s, d, size(words));
        std::int64_t begin = shard_first_ + first;
        auto patch = std::lower_bound(
            patches.begin(), patches.end(), begin, [](const Patch& p, std::int64_t word) {
                return p.word < word;
            });
        for (; patch != patches.end() && patch->word < begin + words; ++patch) {
            float& slope = d[size((patch->word - begin) * lanes) + patch->lane];
            slope = patch->replaces ? patch->value : slope + patch->value;
        }
        if (student_->cap)
            uncap_block(tier_, s, d, size(words * lanes), *student_->cap, temperature_);
        for (std::size_t lane : waiting_->dead)
            for (std::int64_t w = 0; w < words; w++)
                d[size(w * lanes) + lane] = 0;
    }

    /// Slopes of a block times the head, and times the rows.
    void add_products(std::int64_t strip,
                      std::int64_t first,
                      std::int64_t words,
                      const float* d,
                      bool logits_follow) const {
        const Weight& weight = student_->weight;
        const at::Tensor& out = waiting_->into.weight_VD;
        std::size_t count = waiting_->rows.size(), lanes = size(waiting_->lanes);
        // What the next block begins with. If logits follow, their product fetches the weight.
        std::int64_t ahead = first + words;
        const void* next = logits_follow ? logits(ahead) : weight.at(ahead);
        std::size_t next_bytes =
            size(logits_follow ? words * word_floats_ * std::int64_t{sizeof(float)}
                               : weight.bytes(words));
        multiply(tier_,
                 {.rows = count,
                  .columns = size(weight.width()),
                  .depth = size(words),
                  .a = d,
                  .a_row = 1,
                  .a_depth = lanes,
                  .b = weight.block(tier_, first, words, scratch(strip)),
                  .b_row = size(weight.row()),
                  .c = hidden_part(strip),
                  .c_row = size(weight.width()),
                  .add = true,
                  .next = next,
                  .next_bytes = next_bytes});
        if (!out.defined())
            return;
        std::int64_t row = out.stride(0);
        float* to = mutable_elements_of<float>(out) + first * row;
        multiply(tier_,
                 {.rows = size(words),
                  .columns = size(weight.width()),
                  .depth = count,
                  .a = d,
                  .a_row = lanes,
                  .b = elements_of<float>(waiting_rows_),
                  .b_row = size(weight.width()),
                  .c = to,
                  .c_row = size(row),
                  .add = true,
                  .next = to + words * row,
                  .next_bytes = size(words * row) * sizeof(float)});
    }

    std::int64_t sides() const { return teacher_ ? 2 : 1; }

    /// Of a block: the teacher's [words, lanes], where there is one, and beside it the student's.
    float* logits(std::int64_t first) const {
        return mutable_elements_of<float>(logits_) + first * word_floats_;
    }
    float* beside(float* teacher, std::int64_t words, std::int64_t lanes) const {
        return teacher + (sides() - 1) * words * lanes;
    }
    /// What the block has in place of its logits.
    LanePowers powers(std::int64_t first, std::int64_t words, std::int64_t lanes) const {
        if (!keeps_powers_)
            return {};
        float* most = mutable_elements_of<float>(mosts_) + first / block_ * word_floats_;
        return {.t = logits(first),
                .s = beside(logits(first), words, lanes),
                .t_most = most,
                .s_most = beside(most, 1, lanes)};
    }
    static std::size_t size(std::int64_t value) { return static_cast<std::size_t>(value); }

    std::int64_t shard_first_;
    const HeadTerms& terms_;
    Tier tier_;
    double temperature_, beta_;
    std::int64_t vocab_, block_ = 0, strips_ = 1;
    std::optional<Side> student_, teacher_;
    std::int64_t word_floats_ = 0;  // of the logits of a word
    bool keeps_powers_ = false;     // in place of logits
    at::Tensor logits_, mosts_;     // of each block
    at::Tensor scratch_;        // of each strip: a widened block of a weight; slopes, then logits
    at::Tensor hidden_slopes_;  // of each strip
    // The chunk at hand:
    std::span<const std::int64_t> rows_;
    std::int64_t count_ = 0, lanes_ = 0;
    std::vector<TopTokens> tops_;
    // The chunk before:
    std::optional<Waiting> waiting_;
    at::Tensor waiting_rows_;  // [lanes, D]
};

}  // namespace

std::unique_ptr<HeadEngine> cpu_head_engine(const HeadBatch& batch,
                                            const HeadTerms& terms,
                                            std::int64_t words,
                                            std::int64_t most_rows) {
    return std::make_unique<CpuEngine>(batch, terms, words, most_rows);
}

}  // namespace stillroom::lm
