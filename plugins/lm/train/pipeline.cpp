#include "plugins/lm/train/pipeline.h"

#include "plugins/lm/parallel/sent.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <deque>
#include <memory>

namespace stillroom::lm {
namespace {

void add(StepSums& to, const StagePass& pass) {
    to += {.pass = pass.sums(), .counted = pass.counted(), .tokens = pass.tokens()};
}

/// One rank's turns.
class Turns1F1B {
public:
    Turns1F1B(const Learning& learning, const std::function<Lesson()>& next, bool learns)
        : learning_(learning),
          next_(next),
          learns_(learns),
          stage_(learning.mesh->place.pipeline),
          stages_(learning.mesh->layout.pipeline),
          sent_(static_cast<std::size_t>(4 * stages_ + 8)) {
        sums_.pass.hidden.resize(learning.hidden.size());
    }

    StepSums run(std::int64_t count) {
        std::int64_t warm = learns_ ? std::min<std::int64_t>(stages_ - 1 - stage_, count) : 0;
        for (std::int64_t i = 0; i < count + warm; i++) {
            if (i < count)
                forward();
            if (i >= warm && learns_)
                backward();
        }
        sent_.wait();
        return sums_;
    }

private:
    const Comm& pipeline() const { return learning_.mesh->pipeline; }

    at::Tensor received(const Comm& comm,
                        const StagePass& pass,
                        bool shared,
                        std::int64_t width,
                        int from,
                        std::string_view name) const {
        std::int64_t rows = shared ? pass.tokens() / learning_.mesh->layout.tensor : pass.tokens();
        at::Tensor x_TD = at::empty({rows, width}, learning_.student->weights_N.options());
        comm.receive(x_TD, from, name).wait();
        return x_TD;
    }

    void teach(StagePass& pass) {
        if (const Teacher* teacher = learning_.teacher) {
            at::Tensor in_TD;
            if (!teacher->part.embeds)
                in_TD = received(pipeline(),
                                 pass,
                                 teacher_shares(),
                                 teacher->part.config.hidden,
                                 stage_ - 1,
                                 "teacher's states");
            at::Tensor out_TD = pass.run_teacher(in_TD);
            if (!teacher->part.heads)
                sent_.send(pipeline(), out_TD, stage_ + 1, "teacher's states");
        }
        for (std::size_t i = 0; i < learning_.hidden.size(); i++)
            carry(pass, i);
    }

    bool teacher_shares() const {
        return learning_.sequence && learning_.teacher_layout.tensor > 1;
    }

    /// From where a term's teacher is to where its student is.
    void carry(StagePass& pass, std::size_t term) {
        const HiddenTerm& one = learning_.hidden[term];
        int to = stage_of(learning_.mesh->layout, one.student), from = stages_ - 1;
        if (learning_.teacher_layout.pipeline > 1)
            from = stage_of(learning_.teacher_layout, one.teacher);
        if (from == to)
            return;
        const Comm& aside = learning_.mesh->aside;
        if (stage_ == from)
            sent_.send(aside, pass.teacher_state(term), to, "hidden states");
        else if (stage_ == to)
            pass.set_teacher_state(term,
                                   received(aside,
                                            pass,
                                            teacher_shares(),
                                            learning_.teacher_hidden,
                                            from,
                                            "hidden states"));
    }

    void forward() {
        auto pass = std::make_unique<StagePass>(learning_, next_());
        teach(*pass);
        const ModelPart& part = learning_.student->model();
        at::Tensor in_TD;
        if (!part.embeds)
            in_TD = received(pipeline(),
                             *pass,
                             learning_.sequence,
                             part.config.hidden,
                             stage_ - 1,
                             "student's states");
        at::Tensor out_TD = pass->forward(in_TD, learns_);
        if (!part.heads)
            sent_.send(pipeline(), out_TD, stage_ + 1, "student's states");
        if (learns_)
            open_.push_back(std::move(pass));
        else
            add(sums_, *pass);
    }

    void backward() {
        StagePass& pass = *open_.front();
        const ModelPart& part = learning_.student->model();
        at::Tensor slope_TD;
        if (!part.heads)
            slope_TD = received(
                pipeline(), pass, learning_.sequence, part.config.hidden, stage_ + 1, "slopes");
        at::Tensor down_TD = pass.backward(slope_TD);
        if (!part.embeds)
            sent_.send(pipeline(), down_TD, stage_ - 1, "slopes");
        add(sums_, pass);
        open_.pop_front();
    }

    const Learning& learning_;
    const std::function<Lesson()>& next_;
    bool learns_;
    int stage_, stages_;
    Sent sent_;
    std::deque<std::unique_ptr<StagePass>> open_;
    StepSums sums_;
};

}  // namespace

StepSums& StepSums::operator+=(const StepSums& other) {
    const HeadSums& head = other.pass.head;
    pass.head.rows += head.rows;
    pass.head.kl += head.kl;
    pass.head.ce += head.ce;
    pass.head.agreeing += head.agreeing;
    pass.head.nonfinite += head.nonfinite;
    pass.hidden.resize(other.pass.hidden.size());
    for (std::size_t i = 0; i < pass.hidden.size(); i++)
        pass.hidden[i] += other.pass.hidden[i];
    counted += other.counted;
    tokens += other.tokens;
    return *this;
}

StepSums run_micro_batches(const Learning& learning,
                           std::int64_t count,
                           const std::function<Lesson()>& next,
                           bool learns) {
    return Turns1F1B(learning, next, learns).run(count);
}

}  // namespace stillroom::lm
