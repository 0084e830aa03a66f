#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "plugins/lm/modules/device.h"
#include "plugins/lm/train/loop.h"
#include "tests/plugins/lm/data/dataset_of.h"
#include "tests/plugins/lm/modules/cases.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/norm.h>
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

// Twenty steps of the loop itself, data order, losses, clipping, schedule and AdamW together,
// against a plain PyTorch loop (tests/reference/training).

using namespace stillroom;
using namespace stillroom::lm;

namespace {

constexpr std::int64_t kSteps = 20, kBatch = 4, kLength = 16, kTokens = 1601, kWords = 64;
constexpr double kClose = 1e-5;  // relatively; PyTorch's own fp32 is up to 3e-6 away
constexpr double kCloseOnDevice = 1e-4;

Json expected() {
    return Json::parse(
        read_file(STILLROOM_SOURCE "/tests/reference/training/expected.json", 1 << 20));
}

std::shared_ptr<const DatasetFolder> text(const TemporaryFolder& folder) {
    at::Tensor ids = (made_numbers("text", {kTokens}) * 128 + 128).to(at::kInt).remainder(kWords);
    const auto* first = ids.const_data_ptr<std::int32_t>();
    std::vector<std::uint32_t> document(first, first + kTokens);
    IndexedWriter writer(folder / "text", TokenType::u16);
    writer.add_document(document);
    writer.close();
    write_dataset_info(
        folder.path(),
        info_of({{"text", "", {}, Count::exactly(1), Count::exactly(writer.tokens())}}));
    return std::make_shared<const DatasetFolder>(open_dataset(folder.path()));
}

WeightReader reader(const ModelConfig& config, double scale) {
    return [&config, scale](const HeldWeight& held, const at::Tensor& into) {
        copy_part(held, made_weight(config, held.name, held.whole) * scale, into);
    };
}

LoopPlan plan() {
    LoopPlan plan;
    plan.steps = kSteps;
    plan.global_batch = kBatch;
    plan.micro_batch = 2;
    plan.schedule = {.course = Course::cosine,
                     .most = 1e-3,
                     .least = 1e-4,
                     .warmup = 4 * kBatch,
                     .length = kSteps * kBatch};
    plan.optimizer = {.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8};
    plan.decay = 0.1;
    plan.clip = 1.0;
    plan.save_every = kSteps;
    plan.vocabulary = kWords;
    return plan;
}

struct Learnt {
    std::vector<StepRecord> steps;
    std::map<std::string, double> lengths;
};

Learnt learn(const std::string& student_name, const std::string& teacher_name, at::Device device) {
    const ModelConfig& student = case_named(student_name).config;
    const ModelConfig& teacher = case_named(teacher_name).config;
    std::vector<LayoutProblem> problems;
    Mesh mesh = Mesh::over(Comm(), lay_out({}, 1, student, problems));
    PartRequest request{.layout = mesh.layout, .place = mesh.place, .head_words = kWords};
    Parameters parameters(student, request, reader(student, 1), {.device = device});
    Teacher taught{.part = part_of(teacher, request),
                   .decoder = build_decoder(teacher, [&](const auto& name, const auto& shape) {
                       return (made_weight(teacher, name, shape) * 1.25).to(device);
                   })};
    Learning learning;
    learning.mesh = &mesh;
    learning.student = &parameters;
    learning.teacher = &taught;
    learning.teacher_layout = mesh.layout;
    learning.teacher_hidden = teacher.hidden;
    learning.terms.kl = KlTerm{};
    learning.terms.ce_weight = 0.5;
    learning.head_words = kWords;

    TemporaryFolder folder;
    Samples samples(text(folder), {.sequence = kLength, .samples = kSteps * kBatch});
    Learnt out;
    LoopPlan how = plan();
    LoopEvents events{.step = [&](const StepRecord& record) { out.steps.push_back(record); },
                      .validation = {},
                      .warning = [](const std::string& warning) { FAIL_CHECK(warning); },
                      .cancelled = [] { return false; }};
    TrainingPoint point;
    CHECK(Loop(how, learning, parameters, samples, nullptr, events)
              .run(point, [](const TrainingPoint&, bool) {}));
    for (const Parameter& one : parameters.list())
        out.lengths[one.held.name] =
            parameters.weight(one).detach().to(at::kDouble).norm().item<double>();
    return out;
}

void compare_steps(at::Device device, double close) {
    at::set_num_threads(1);
    Json all = expected();
    for (const Json::Member& trial : all.map()) {
        CAPTURE(trial.key);
        Learnt found =
            learn(trial.value.at("student").string(), trial.value.at("teacher").string(), device);
        REQUIRE(std::ssize(found.steps) == kSteps);
        double worst = 0;
        auto check = [&](double mine, const Json& theirs) {
            double gap = std::abs(mine - theirs.number()) / std::abs(theirs.number());
            worst = std::max(worst, gap);
            CHECK(gap <= close);
        };
        for (std::size_t i = 0; i < found.steps.size(); i++) {
            CAPTURE(i);
            const Json& step = trial.value.at("steps").list()[i];
            const StepRecord& record = found.steps[i];
            check(record.losses.kl, step.at("kl"));
            check(record.losses.ce, step.at("ce"));
            check(record.losses.total, step.at("total"));
            check(record.gradient_norm, step.at("norm"));
            CHECK(record.lr == doctest::Approx(step.at("lr").number()).epsilon(1e-14));
        }
        for (const Json::Member& length : trial.value.at("lengths").map()) {
            CAPTURE(length.key);
            REQUIRE(found.lengths.contains(length.key));
            check(found.lengths[length.key], length.value);
        }
        CHECK(std::ssize(found.lengths) == std::ssize(trial.value.at("lengths").map()));
        MESSAGE(fmt::format("{}: {:.1e} from fp64 at most, PyTorch's fp32 {:.1e}",
                            trial.key,
                            worst,
                            trial.value.at("fp32").number()));
    }
}

}  // namespace

TEST_CASE("twenty steps are those of a plain PyTorch loop") {
    compare_steps(at::kCPU, kClose);
}

TEST_CASE("twenty steps on a device are those of a plain PyTorch loop") {
    at::Device device = compute_device("auto");
    if (device.is_cpu()) {
        MESSAGE("skipped: no CUDA device");
        return;
    }
    compare_steps(device, kCloseOnDevice);
}
