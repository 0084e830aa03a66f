#include "plugins/lm/train/stage_pass.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/nonzero.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

at::Tensor leaf(const at::Tensor& x_TD) {
    return x_TD.detach().requires_grad_(true);
}

/// From where a graph ends, and from a number beside it, if there is one.
void go_back(const at::Tensor& x_TD,
             const at::Tensor& slope_TD,
             const at::Tensor& number,
             double scale) {
    torch::autograd::variable_list ends, slopes;
    if (x_TD.defined() && x_TD.requires_grad()) {
        ends.push_back(x_TD);
        slopes.push_back(slope_TD);
    }
    if (number.defined() && number.requires_grad()) {
        ends.push_back(number);
        slopes.push_back(at::full({}, scale, number.options()));
    }
    if (!ends.empty())
        torch::autograd::backward(ends, slopes);
}

void add_to(at::Tensor& total, const at::Tensor& more) {
    total = total.defined() ? total + more : more;
}

at::Tensor met(const Crossing::Step& step, const at::Tensor& x_TD) {
    return step ? step(x_TD) : x_TD;
}

at::Tensor first_rows(const at::Tensor& weight_VD, std::int64_t first, std::int64_t count) {
    return weight_VD.detach().narrow(0, first, count);
}

}  // namespace

StagePass::StagePass(const Learning& learning, Lesson lesson)
    : learning_(learning),
      decoder_(learning.student->decoder()),
      part_(learning.student->model()),
      lesson_(std::move(lesson)) {
    sums_.hidden.resize(learning.hidden.size());
    counts_hidden_ = learning.sequence || learning.mesh->place.tensor == 0;
    if (!learning.hidden.empty())
        rows_N_ = at::nonzero(lesson_.labels_T >= 0).flatten();
}

at::Tensor StagePass::run_teacher(const at::Tensor& in_TD) {
    const Teacher& teacher = *learning_.teacher;
    at::NoGradGuard none;
    auto see = [&](const Point& point, const at::Tensor& x_TD) {
        for (std::size_t i = 0; i < learning_.hidden.size(); i++)
            if (learning_.hidden[i].teacher == point)
                teacher_states_[i] = x_TD;
    };
    at::Tensor x_TD = teacher.part.embeds ? embed(teacher.decoder, lesson_.tokens) : in_TD;
    if (teacher.part.embeds)
        see({.kind = Point::embed}, x_TD);
    x_TD = run_layers(teacher.decoder,
                      x_TD,
                      lesson_.tokens,
                      teacher.part.first_layer,
                      teacher.part.last_layer,
                      learning_.hidden.empty() ? Watch{} : watch_points(see));
    if (!teacher.part.heads)
        return x_TD;
    x_TD = head_input(teacher.decoder, x_TD);
    see({.kind = Point::final_norm}, x_TD);
    taught_TD_ = met(teacher.decoder.crossing.enter, x_TD);
    return {};
}

/// Of these tokens, which with `sequence` are not all.
at::Tensor StagePass::rows_of(const at::Tensor& x_TD) const {
    std::int64_t here = x_TD.size(0);
    if (here == tokens())
        return rows_N_;
    std::int64_t begin = learning_.mesh->place.tensor * here;
    at::Tensor own_N = rows_N_ - begin;
    return own_N.masked_select((own_N >= 0).logical_and_(own_N < here));
}

void StagePass::meet(const Point& point, const at::Tensor& x_TD, at::Tensor& total) {
    for (std::size_t i = 0; i < learning_.hidden.size(); i++) {
        const HiddenTerm& term = learning_.hidden[i];
        if (term.student != point)
            continue;
        HiddenPair pair{.kind = term.kind,
                        .student_TS = x_TD,
                        .teacher_TD = teacher_states_.at(i),
                        .projection = {}};
        if (pair.teacher_TD.size(0) != x_TD.size(0))  // whole layers beside shared tokens
            pair.teacher_TD = pair.teacher_TD.narrow(
                0, learning_.mesh->place.tensor * x_TD.size(0), x_TD.size(0));
        if (!term.projection.empty()) {
            const Parameters& all = *learning_.student;
            pair.projection = {.weight = all.weight(all.named(term.projection + ".weight")),
                               .bias = all.weight(all.named(term.projection + ".bias"))};
        }
        at::Tensor loss = hidden_loss(pair, rows_of(x_TD).to(x_TD.device()));
        if (counts_hidden_ && !repeats_)
            sums_.hidden[i] += loss.item<double>();
        add_to(total, loss * term.weight);
    }
}

bool StagePass::any_hidden(std::size_t first, std::size_t last) const {
    return std::any_of(
        learning_.hidden.begin(), learning_.hidden.end(), [&](const HiddenTerm& term) {
            bool inside =
                term.student.kind != Point::embed && term.student.kind != Point::final_norm;
            return inside && term.student.index >= first && term.student.index < last;
        });
}

void StagePass::run(Stretch& stretch) {
    Watch watch;
    if (any_hidden(stretch.first, stretch.last))
        watch = watch_points(
            [&](const Point& point, const at::Tensor& x_TD) { meet(point, x_TD, stretch.hidden); });
    stretch.out_TD =
        run_layers(decoder_, stretch.in_TD, lesson_.tokens, stretch.first, stretch.last, watch);
}

at::Tensor StagePass::forward(const at::Tensor& in_TD, bool learns) {
    at::AutoGradMode graph(learns);
    at::Tensor x_TD = in_TD;
    if (part_.embeds) {
        embedded_TD_ = x_TD = embed(decoder_, lesson_.tokens);
        meet({.kind = Point::embed}, x_TD, embedded_hidden_);
    }
    std::size_t layers = part_.last_layer - part_.first_layer;
    std::size_t every = learning_.recompute > 0 && learns
                            ? static_cast<std::size_t>(learning_.recompute)
                            : std::max<std::size_t>(layers, 1);
    for (std::size_t first = part_.first_layer; first < part_.last_layer; first += every) {
        Stretch& stretch = stretches_.emplace_back();
        stretch.first = first;
        stretch.last = std::min(first + every, part_.last_layer);
        stretch.in_TD = learns ? leaf(x_TD) : x_TD;
        bool again = learns && learning_.recompute > 0;
        at::AutoGradMode inside(learns && !again);
        run(stretch);
        x_TD = stretch.out_TD;
        if (again) {
            stretch.out_TD.reset();
            stretch.hidden.reset();
        }
    }
    if (!part_.heads)
        return x_TD.detach();
    run_head(x_TD, learns);
    return {};
}

HeadBatch StagePass::head_batch(const at::Tensor& hidden_TD) const {
    const ModelConfig& config = part_.config;
    HeadBatch batch{.student = {.hidden_TD = hidden_TD,
                                .weight_VD = first_rows(decoder_.lm_head, 0, part_.head_words),
                                .cap = config.final_cap},
                    .teacher = std::nullopt,
                    .labels_T = lesson_.labels_T,
                    .shard = {}};
    if (const Teacher* teacher = learning_.teacher) {
        std::int64_t first = part_.first_word - teacher->part.first_word;
        batch.teacher =
            HeadSide{.hidden_TD = taught_TD_,
                     .weight_VD = first_rows(teacher->decoder.lm_head, first, part_.head_words),
                     .cap = teacher->part.config.final_cap};
    }
    const Comm& tensor = learning_.mesh->tensor;
    if (tensor.size() > 1)
        batch.shard = {.first = part_.first_word,
                       .total = learning_.head_words,
                       .all_gather = [&tensor](const at::Tensor& mine) {
                           std::vector<std::int64_t> shape = mine.sizes().vec();
                           shape.insert(shape.begin(), tensor.size());
                           at::Tensor all = at::empty(shape, mine.options());
                           tensor.gather(all.flatten(0, 1), mine, "words of a head").wait();
                           return all;
                       }};
    return batch;
}

void StagePass::run_head(const at::Tensor& x_TD, bool learns) {
    last_TD_ = learns ? leaf(x_TD) : x_TD;
    at::Tensor normed_TD = head_input(decoder_, last_TD_);
    meet({.kind = Point::final_norm}, normed_TD, head_hidden_);
    head_TD_ = met(decoder_.crossing.enter, normed_TD);
    HeadBatch batch = head_batch(head_TD_.detach());
    if (!learns) {
        sums_.head = head_sums(batch, learning_.terms);
        return;
    }
    head_slope_TD_ = at::empty_like(batch.student.hidden_TD);
    sums_.head = head_slopes(batch,
                             learning_.terms,
                             {.scale = learning_.scale,
                              .hidden_TD = head_slope_TD_,
                              .weight_VD = decoder_.lm_head.grad().narrow(0, 0, part_.head_words)});
}

at::Tensor StagePass::backward(const at::Tensor& slope_TD) {
    at::Tensor down_TD = slope_TD;
    if (part_.heads) {
        go_back(head_TD_, head_slope_TD_, head_hidden_, learning_.scale);
        down_TD = last_TD_.grad();
        head_TD_.reset(), head_slope_TD_.reset(), head_hidden_.reset(), last_TD_.reset();
    }
    repeats_ = true;
    for (; !stretches_.empty(); stretches_.pop_back()) {
        Stretch& stretch = stretches_.back();
        if (!stretch.out_TD.defined())
            run(stretch);
        go_back(stretch.out_TD, down_TD, stretch.hidden, learning_.scale);
        down_TD = stretch.in_TD.grad();
    }
    if (!part_.embeds)
        return down_TD;
    go_back(embedded_TD_, down_TD, embedded_hidden_, learning_.scale);
    return {};
}

}  // namespace stillroom::lm
