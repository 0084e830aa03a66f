#include "plugins/lm/parallel/crossing.h"
#include "plugins/lm/train/gradients.h"
#include "plugins/lm/train/pipeline.h"
#include "tests/plugins/lm/modules/cases.h"
#include "tests/plugins/lm/parallel/ranks.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <mutex>

// Every layout of ranks learns what one rank learns: losses, every gradient, and the weights after
// some updates.

using namespace stillroom;
using namespace stillroom::lm;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kMicroBatches = 4, kRows = 2, kLength = 8, kUpdates = 2;
constexpr double kCountedRows = 60;
// Of AdamW: with a small one an update is the sign of gradients that are nothing but rounding.
constexpr double kSmooth = 0.1;

/// What is trained, and how the ranks share it.
struct Trial {
    std::string student = "llama", teacher = "llama";
    LayoutWish layout = {};
    bool sequence = false;
    std::int64_t recompute = 0;
    std::vector<HiddenTerm> hidden = {};
    bool distills = true;

    int world() const {
        return static_cast<int>(layout.tensor * layout.pipeline * layout.data.value_or(1));
    }
};

struct Learnt {
    std::vector<double> losses;  ///< kl, ce, hidden of each update, summed over rows
    std::map<std::string, at::Tensor> gradients, weights;  ///< whole, of the first and the last
};

Lesson lesson(std::int64_t number, const ModelConfig& config) {
    at::Tensor ids =
        (made_numbers(fmt::format("lesson {}", number), {kRows, kLength + 1}) * 128 + 128)
            .to(at::kLong)
            .remainder(config.vocab - 4);
    Lesson out;
    out.tokens = batch_of_rows(ids.narrow(1, 0, kLength).contiguous());
    out.labels_T = ids.narrow(1, 1, kLength).contiguous().view({-1});
    out.labels_T[number % 5] = -1;  // unequal counts over the ranks
    out.counted = kRows * kLength - 1;
    return out;
}

void put(std::map<std::string, at::Tensor>& wholes,
         const Parameters& parameters,
         const at::Tensor& flat_N,
         std::int64_t begin,
         std::int64_t end) {
    for (const Parameter& one : parameters.list()) {
        std::int64_t first = std::max(one.begin, begin),
                     last = std::min(one.begin + one.count, end);
        if (first >= last)
            continue;
        at::Tensor mine = at::zeros({one.count}), there = at::zeros(one.held.shape);
        mine.narrow(0, first - one.begin, last - first)
            .copy_(flat_N.narrow(0, first, last - first));
        at::Tensor mark = at::zeros({one.count});
        mark.narrow(0, first - one.begin, last - first).fill_(1);
        at::Tensor& whole = wholes[one.held.name];
        if (!whole.defined())
            whole = at::zeros(one.held.whole);
        std::int64_t at = 0;
        for (const stillroom::lm::Run& run : one.held.runs) {
            at::Tensor into = whole.narrow(one.held.dim, run.begin, run.count);
            at::Tensor from = mine.view(one.held.shape).narrow(one.held.dim, at, run.count);
            at::Tensor marked = mark.view(one.held.shape).narrow(one.held.dim, at, run.count);
            into.copy_(at::where(marked > 0, from, into));
            at += run.count;
        }
    }
}

std::vector<HeldWeight> projections(const Trial& trial,
                                    const Mesh& mesh,
                                    std::int64_t student,
                                    std::int64_t teacher) {
    std::vector<HeldWeight> out;
    for (const HiddenTerm& term : trial.hidden) {
        if (term.projection.empty() || stage_of(mesh.layout, term.student) != mesh.place.pipeline)
            continue;
        for (bool bias : {false, true}) {
            HeldWeight held;
            held.name = term.projection + (bias ? ".bias" : ".weight");
            held.whole = held.shape = bias ? Shape{teacher} : Shape{teacher, student};
            held.runs = {{0, teacher}};
            held.counted = mesh.place.tensor == 0;
            if (trial.sequence)
                held.sharing = Sharing::summed;
            out.push_back(held);
        }
    }
    return out;
}

Learnt learn(const Trial& trial) {
    Learnt out;
    std::mutex mutex;
    const ModelConfig& student = case_named(trial.student).config;
    const ModelConfig& teacher = case_named(trial.teacher).config;
    auto work = [&](const Comm& world) {
        std::vector<LayoutProblem> problems;
        Mesh mesh = Mesh::over(world, lay_out(trial.layout, world.size(), student, problems));
        REQUIRE(problems.empty());
        PartRequest request{.layout = mesh.layout,
                            .place = mesh.place,
                            .sequence = trial.sequence,
                            .head_words = student.vocab - 2};
        auto read = [&](const ModelConfig& config, double shift) {
            return [&config, shift](const HeldWeight& held, const at::Tensor& into) {
                copy_part(held, made_weight(config, held.name, held.whole) * shift, into);
            };
        };
        Parameters parameters(
            student,
            request,
            read(student, 1),
            {.projections = projections(trial, mesh, student.hidden, teacher.hidden),
             .data_ranks = mesh.layout.data,
             .data_rank = mesh.place.data});
        parameters.decoder().crossing = crossing_of(mesh.tensor, trial.sequence);

        Learning learning;
        learning.mesh = &mesh;
        learning.student = &parameters;
        learning.terms.ce_weight = 0.5;
        learning.recompute = trial.recompute;
        learning.sequence = trial.sequence;
        learning.head_words = request.head_words;
        learning.hidden = trial.hidden;
        Teacher taught;
        if (trial.distills) {
            learning.terms.kl = KlTerm{.temperature = 1.5};
            PartRequest other = request;
            other.layout = lay_out({.tensor = trial.layout.tensor,
                                    .pipeline = trial.layout.pipeline,
                                    .data = trial.layout.data},
                                   world.size(),
                                   teacher,
                                   problems);
            if (!problems.empty()) {  // it does not divide: whole on the last stage
                other.layout.pipeline = 1;
                other.layout.stage_layers = {static_cast<int>(teacher.layers.size())};
                other.place.pipeline = 0;
            }
            learning.teacher_layout = other.layout;
            learning.teacher_hidden = teacher.hidden;
            if (problems.empty() || mesh.is_last()) {
                taught.part = part_of(teacher, other);
                taught.decoder =
                    build_decoder(taught.part.config, [&](const auto& name, const auto& shape) {
                        at::Tensor part = at::zeros(shape);
                        for (const HeldWeight& held : taught.part.weights)
                            if (held.name == name)
                                read(teacher, 1.25)(held, part);
                        return part;
                    });
                drop_row_bias(taught.decoder, taught.part);
                taught.decoder.first_word = taught.part.first_word;
                taught.decoder.words = taught.part.words;
                taught.decoder.crossing = crossing_of(mesh.tensor, trial.sequence);
                learning.teacher = &taught;
            }
        }
        for (std::int64_t update_number = 0; update_number < kUpdates; update_number++) {
            parameters.gradient_N.zero_();
            std::int64_t next = mesh.place.data;
            StepSums sums = run_micro_batches(
                learning,
                kMicroBatches / mesh.layout.data,
                [&] {
                    Lesson one = lesson(next + kMicroBatches * update_number, student);
                    next += mesh.layout.data;
                    return one;
                },
                true);
            reduce_gradients(mesh, parameters);
            bool speaks = mesh.is_last() && mesh.place.tensor == 0;
            std::vector<double> numbers = {speaks ? sums.pass.head.kl : 0,
                                           speaks ? sums.pass.head.ce : 0};
            numbers.insert(numbers.end(), sums.pass.hidden.begin(), sums.pass.hidden.end());
            numbers.push_back(own_square_sum(parameters, parameters.own(parameters.gradient_N)));
            at::Tensor all = at::tensor(numbers, at::kDouble);
            world.sum(all, "losses").wait();
            {
                std::lock_guard lock(mutex);
                if (world.rank() == 0)
                    for (std::size_t i = 0; i < numbers.size(); i++)
                        out.losses.push_back(all[static_cast<std::int64_t>(i)].item<double>());
                std::int64_t begin = parameters.own_begin(), end = begin + parameters.own_size();
                if (update_number == 0)
                    put(out.gradients, parameters, parameters.gradient_N, begin, end);
            }
            std::optional<double> squares = update(parameters,
                                                   {.lr = 1e-2,
                                                    .eps = kSmooth,
                                                    .decay = 0.1,
                                                    .factor = 1 / kCountedRows,
                                                    .step = update_number + 1});
            CHECK(squares == own_square_sum(parameters, parameters.master_O));
            share_weights(mesh, parameters);
        }
        std::lock_guard lock(mutex);
        put(out.weights, parameters, parameters.weights_N, 0, parameters.size());
    };
    if (trial.world() == 1) {
        work(Comm());
    } else {
        auto thrown = on_ranks(trial.world(), 60s, work);
        CHECK(thrown == std::vector<std::string>(static_cast<std::size_t>(trial.world())));
    }
    return out;
}

double gap(const at::Tensor& found, const at::Tensor& expected) {
    double size = expected.to(at::kDouble).norm().item<double>();
    return (found - expected).to(at::kDouble).norm().item<double>() / std::max(size, 1e-12);
}

void expect_same(const Trial& trial) {
    Trial alone = trial;
    alone.layout = {};
    alone.sequence = false;
    alone.recompute = 0;
    Learnt expected = learn(alone), found = learn(trial);
    REQUIRE(found.losses.size() == expected.losses.size());
    for (std::size_t i = 0; i < expected.losses.size(); i++) {
        CAPTURE(i);
        CHECK(found.losses[i] ==
              doctest::Approx(expected.losses[i]).epsilon(1e-6).scale(kCountedRows));
    }
    REQUIRE(found.gradients.size() == expected.gradients.size());
    for (const auto& [name, gradient] : expected.gradients) {
        CAPTURE(name);
        CHECK(gap(found.gradients[name], gradient) <= 1e-5);
        CHECK(gap(found.weights[name], expected.weights[name]) <= 1e-5);
    }
}

HiddenTerm term(const char* student, const char* teacher, HiddenKind kind, std::string projection) {
    return {.student = *point_named(student),
            .teacher = *point_named(teacher),
            .kind = kind,
            .weight = 0.7,
            .projection = std::move(projection)};
}

}  // namespace

TEST_CASE("every layout learns what one rank learns") {
    at::set_num_threads(1);
    const LayoutWish layouts[] = {
        {.tensor = 2},
        {.tensor = 4},
        {.pipeline = 2},
        {.data = 2},
        {.data = 4},
        {.tensor = 2, .pipeline = 2},
        {.tensor = 2, .data = 2},
        {.pipeline = 2, .data = 2},
        {.tensor = 2, .pipeline = 2, .data = 2},
    };
    for (const LayoutWish& layout : layouts)
        for (bool sequence : {false, true}) {
            if (sequence && layout.tensor == 1)
                continue;
            CAPTURE(layout.tensor);
            CAPTURE(layout.pipeline);
            CAPTURE(layout.data.value_or(1));
            CAPTURE(sequence);
            expect_same({.student = "llama-tied", .layout = layout, .sequence = sequence});
        }
}

TEST_CASE("every family learns the same in parts") {
    at::set_num_threads(1);
    for (const char* name : {"llama",
                             "llama-bias",
                             "llama-one-kv-head",
                             "mistral-window",
                             "qwen3",
                             "gemma",
                             "gemma2",
                             "nemotron",
                             "granite",
                             "granite-bias"})
        for (bool sequence : {false, true}) {
            CAPTURE(name);
            CAPTURE(sequence);
            LayoutWish layout{.tensor = 2, .pipeline = 2};
            if (case_named(name).config.layers.size() % 2 != 0)
                layout.first_layers = 2;
            expect_same({.student = name, .teacher = name, .layout = layout, .sequence = sequence});
        }
}

TEST_CASE("stages of a pipeline need not be even, nor the teacher's those of its student") {
    at::set_num_threads(1);
    expect_same(
        {.student = "gemma2", .teacher = "gemma2", .layout = {.pipeline = 2, .first_layers = 2}});
    expect_same({.student = "gemma2", .teacher = "llama", .layout = {.pipeline = 3}});
    expect_same({.student = "gemma3",
                 .teacher = "gemma2",
                 .layout = {.pipeline = 3, .first_layers = 2, .last_layers = 1}});
}

TEST_CASE("what is computed again is what was kept") {
    at::set_num_threads(1);
    for (std::int64_t every : {1, 2, 3})
        expect_same({.student = "gemma3",
                     .recompute = every,
                     .hidden = {term("layers.1", "layers.0", HiddenKind::mse, "")}});
}

TEST_CASE("hidden states come together wherever their layers lie") {
    at::set_num_threads(1);
    std::vector<HiddenTerm> terms = {
        term("embed", "layers.1", HiddenKind::mse, "projections.0"),
        term("layers.0", "layers.1.norm2", HiddenKind::cosine, "projections.1"),
        term("layers.1.norm1", "embed", HiddenKind::cosine, ""),
        term("final_norm", "final_norm", HiddenKind::mse, "projections.3")};
    const LayoutWish layouts[] = {
        {.tensor = 2}, {.pipeline = 2}, {.data = 2}, {.tensor = 2, .pipeline = 2}};
    for (const LayoutWish& layout : layouts)
        for (bool sequence : {false, true}) {
            if (sequence && layout.tensor == 1)
                continue;
            CAPTURE(layout.tensor);
            CAPTURE(layout.pipeline);
            CAPTURE(sequence);
            expect_same({.student = "llama",
                         .teacher = "qwen3",
                         .layout = layout,
                         .sequence = sequence,
                         .hidden = terms});
        }
}

TEST_CASE("without a teacher it is the text alone") {
    at::set_num_threads(1);
    expect_same({.layout = {.tensor = 2, .data = 2}, .sequence = true, .distills = false});
}
