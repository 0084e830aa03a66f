#include "plugins/lm/config/config_file.h"
#include "plugins/lm/modules/device.h"
#include "plugins/lm/train/flops.h"
#include "plugins/lm/train/gradients.h"
#include "plugins/lm/train/pipeline.h"

#include <ATen/TensorOperators.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

// train_bench WHAT...: rows G1, G2 and G4 of the list of goals, on one GPU, in bf16 with random
// numbers: `pretrain`, Qwen3-0.6B's shape, 16,384 tokens a step; `distill`, 8B's shape into 4B's;
// `head`, the KL head alone beside its products. Prints a line of Markdown each.

using namespace stillroom::lm;

namespace {

struct Shape {
    const char* name;
    int hidden, layers, ffn, heads;
    bool tied;
};

constexpr Shape k06{"0.6B", 1024, 28, 3072, 16, true}, k4{"4B", 2560, 36, 9728, 32, true},
    k8{"8B", 4096, 36, 12288, 32, false};
constexpr std::int64_t kWords = 151'936, kSequence = 4096;

ModelConfig config_of(const Shape& shape) {
    return ConfigFile::
        parse(fmt::format(
                  R"({{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": {},
"num_hidden_layers": {}, "intermediate_size": {}, "num_attention_heads": {}, "num_key_value_heads": 8,
"head_dim": 128, "vocab_size": {}, "max_position_embeddings": 40960, "rope_theta": 1000000,
"rms_norm_eps": 1e-06, "hidden_act": "silu", "attention_bias": false, "tie_word_embeddings": {},
"torch_dtype": "bfloat16"}})",
                  shape.hidden,
                  shape.layers,
                  shape.ffn,
                  shape.heads,
                  kWords,
                  shape.tied),
              "config.json")
            .model();
}

at::Tensor random_weight(at::IntArrayRef shape, const at::TensorOptions& options) {
    return shape.size() == 1 ? at::zeros(shape, options) + 1 : at::randn(shape, options) * 0.02;
}

void settle(at::Device device) {
    c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
}

double gib(double bytes) {
    return bytes / (1 << 30);
}

double peak(at::Device device) {
    auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
    return static_cast<double>(stats.allocated_bytes[0].peak);
}

double used(at::Device device) {
    auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
    return static_cast<double>(stats.allocated_bytes[0].current);
}

void forget_peak(at::Device device) {
    c10::getDeviceAllocator(device.type())->resetPeakStats(device.index());
}

/// The least of a few rounds, after one that warms up.
template <class Work>
double seconds_of(at::Device device, int rounds, const Work& work) {
    work();
    settle(device);
    double least = 1e9;
    for (int round = 0; round < rounds; round++) {
        auto begin = std::chrono::steady_clock::now();
        work();
        settle(device);
        least = std::min(
            least, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return least;
}

/// One training, whose steps are those of the loop without its files.
class Training {
public:
    Training(const Shape& student,
             const Shape* teacher,
             at::Device device,
             std::int64_t micro,
             std::int64_t count,
             std::int64_t recompute)
        : device_(device),
          config_(config_of(student)),
          micro_(micro),
          count_(count) {
        std::vector<LayoutProblem> problems;
        mesh_ = Mesh::over(Comm(), lay_out({}, 1, config_, problems));
        PartRequest request{.layout = mesh_.layout, .place = mesh_.place, .head_words = kWords};
        at::Tensor some = at::randn({1 << 20}) * 0.02;
        auto read = [&](const HeldWeight& held, const at::Tensor& into) {
            at::Tensor flat = into.view({-1});
            for (std::int64_t begin = 0; begin < flat.numel(); begin += some.numel()) {
                std::int64_t numbers = std::min(some.numel(), flat.numel() - begin);
                flat.narrow(0, begin, numbers).copy_(some.narrow(0, 0, numbers));
            }
            if (held.whole.size() == 1)
                into.fill_(1);
        };
        parameters_.emplace(
            config_, request, read, Parameters::Options{.type = at::kBFloat16, .device = device});
        learning_.mesh = &mesh_;
        learning_.student = &*parameters_;
        learning_.head_words = kWords;
        learning_.recompute = recompute;
        learning_.terms.ce_weight = teacher == nullptr ? 1 : 0;
        if (teacher == nullptr)
            return;
        teacher_config_ = config_of(*teacher);
        at::TensorOptions like = at::TensorOptions().dtype(at::kBFloat16).device(device);
        teacher_ = {.part = part_of(*teacher_config_, request),
                    .decoder = build_decoder(*teacher_config_, [&](const auto&, const auto& shape) {
                        return random_weight(shape, like);
                    })};
        learning_.teacher = &teacher_;
        learning_.teacher_layout = mesh_.layout;
        learning_.teacher_hidden = teacher_config_->hidden;
        learning_.terms.kl = KlTerm{};
    }

    void step() {
        parameters_->gradient_N.zero_();
        StepSums sums = run_micro_batches(
            learning_, count_, [&] { return lesson(); }, /*learns=*/true);
        reduce_gradients(mesh_, *parameters_);
        double squares = own_square_sum(*parameters_, parameters_->gradient_N);
        AdamwStep how{.lr = 1e-5, .decay = 0.1};
        how.factor = clip_factor(std::sqrt(squares), 1) / static_cast<double>(sums.counted);
        how.step = ++steps_;
        update(*parameters_, how);
        loss_ = (learning_.terms.kl ? sums.pass.head.kl : sums.pass.head.ce) /
                static_cast<double>(sums.pass.head.rows);
    }

    std::int64_t tokens() const { return micro_ * count_ * kSequence; }
    double flops() const {
        return training_flops(config_, teacher_config_ ? &*teacher_config_ : nullptr, kSequence);
    }
    double loss() const { return loss_; }

private:
    Lesson lesson() const {
        std::int64_t tokens = micro_ * kSequence;
        at::Tensor ids = at::randint(kWords, {tokens + 1}, at::kLong);
        Lesson lesson;
        lesson.tokens.ids_T = ids.narrow(0, 0, tokens);
        lesson.tokens.lengths.assign(static_cast<std::size_t>(micro_), kSequence);
        lesson.labels_T = ids.narrow(0, 1, tokens);
        lesson.counted = tokens;
        return lesson;
    }

    at::Device device_;
    ModelConfig config_;
    std::optional<ModelConfig> teacher_config_;
    std::int64_t micro_, count_;
    Mesh mesh_;
    std::optional<Parameters> parameters_;
    Teacher teacher_;
    Learning learning_;
    std::int64_t steps_ = 0;
    double loss_ = 0;
};

void train(const char* row, Training training, const char* what, double goal, at::Device device) {
    forget_peak(device);
    double seconds = seconds_of(device, 3, [&] { training.step(); });
    double speed = static_cast<double>(training.tokens()) / seconds;
    std::printf("| %s | %s | %.0f tokens/s, %.0f TFLOP/s, loss %.3f | %.0f tokens/s | %.1f GiB |\n",
                row,
                what,
                speed,
                speed * training.flops() / 1e12,
                training.loss(),
                goal,
                gib(peak(device)));
}

void head(at::Device device) {
    constexpr std::int64_t kRows = 8192;
    at::TensorOptions like = at::TensorOptions().dtype(at::kBFloat16).device(device);
    HeadBatch batch;
    batch.teacher = {.hidden_TD = at::randn({kRows, 4096}, like),
                     .weight_VD = at::randn({kWords, 4096}, like) * 0.02,
                     .cap = {}};
    batch.student = {.hidden_TD = at::randn({kRows, 2560}, like),
                     .weight_VD = at::randn({kWords, 2560}, like) * 0.02,
                     .cap = {}};
    batch.labels_T = at::randint(kWords, {kRows}, at::kLong);
    HeadSlopes into{.hidden_TD = at::zeros({kRows, 2560}, like),
                    .weight_VD = at::zeros({kWords, 2560}, like.dtype(at::kFloat))};
    HeadTerms terms{.kl = KlTerm{}, .ce_weight = 0};
    settle(device);
    double before = used(device);
    forget_peak(device);
    HeadSums sums;
    double ours = seconds_of(device, 5, [&] { sums = head_slopes(batch, terms, into); });
    double extra = peak(device) - before;
    at::Tensor logits = at::empty({2048, kWords}, like);
    double products = seconds_of(device, 5, [&] {
        for (std::int64_t first = 0; first < kRows; first += 2048) {
            at::Tensor x = batch.student.hidden_TD.narrow(0, first, 2048),
                       y = batch.teacher->hidden_TD.narrow(0, first, 2048);
            at::mm_out(logits, y, batch.teacher->weight_VD.t());
            at::mm_out(logits, x, batch.student.weight_VD.t());
            at::Tensor slopes = at::mm(logits, batch.student.weight_VD), weight = into.weight_VD;
            at::addmm_out(weight, weight, logits.t(), x, at::kFloat);
        }
    });
    std::printf(
        "| G4 | KL head, 8,192 x (4096, 2560) x 151,936 | %.1f ms, KL %.4f; its products "
        "alone %.1f ms | 46 ms, 2.5 GiB beside dW | %.2f GiB beside all that is given |\n",
        ours * 1e3,
        sums.kl / static_cast<double>(sums.rows),
        products * 1e3,
        gib(extra));
}

}  // namespace

int main(int count, char** words) {
    at::Device device = compute_device("auto");
    if (device.is_cpu()) {
        std::puts("skipped: no CUDA device");
        return 77;
    }
    for (int i = 1; i < count; i++) {
        if (std::strcmp(words[i], "head") == 0)
            head(device);
        if (std::strcmp(words[i], "pretrain") == 0)
            train("G1",
                  Training(k06, nullptr, device, 4, 1, 0),
                  "Qwen3-0.6B's shape learns, 16,384 tokens a step",
                  95'000,
                  device);
        if (std::strcmp(words[i], "distill") == 0)
            train("G2",
                  Training(k4, &k8, device, 2, 2, 1),
                  "Qwen3-8B's shape teaches 4B's, micro-batch 2, every layer computed again",
                  11'500,
                  device);
        std::fflush(stdout);
    }
    return 0;
}
