#include "plugins/train/cost.h"

#include "engine/base/units.h"
#include "plugins/lm/weights/counts.h"
#include "plugins/lm/weights/weight_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::train {
namespace {

constexpr double kHeadBuffers = 64.0 * (1 << 20);

/// Numbers that the layers of a stage keep of one token until its backward pass: what each operator
/// reads. With recomputation one a stretch, and one stretch whole.
double kept_a_token(const lm::ModelConfig& model,
                    const lm::Layout& layout,
                    std::int64_t recompute) {
    auto hidden = static_cast<double>(model.hidden);
    double all = 0, largest = 0;
    for (const lm::Layer& layer : model.layers) {
        double kept = 0;
        if (layer.attention) {
            auto dim = static_cast<double>(layer.attention->head_dim);
            double q = static_cast<double>(layer.attention->heads) * dim;
            double kv = static_cast<double>(layer.attention->kv_heads) * dim;
            kept += 3 * hidden + (3 * q + 3 * kv) / layout.tensor;
        }
        if (layer.mlp)
            kept += 3 * hidden + 3 * static_cast<double>(layer.mlp->width) / layout.tensor;
        all += kept;
        largest = std::max(largest, kept);
    }
    auto layers = static_cast<double>(model.layers.size());
    if (recompute > 0)
        return hidden * layers / static_cast<double>(recompute) / layout.pipeline +
               largest * static_cast<double>(recompute);
    return all / layout.pipeline;
}

}  // namespace

std::string MemoryParts::text() const {
    auto part = [](const char* name, double bytes) {
        return bytes > 0
                   ? fmt::format("{} {}, ", name, size_text(static_cast<std::uint64_t>(bytes)))
                   : std::string();
    };
    std::string text = part("weights", weights) + part("gradients", gradients) +
                       part("optimizer", optimizer) + part("teacher", teacher) +
                       part("activations", activations) + part("snapshot", snapshot) +
                       part("head", head);
    return text.substr(0, text.size() - 2);
}

MemoryParts memory_of(const Training& training,
                      const lm::ModelConfig& student,
                      const std::optional<lm::ModelConfig>& teacher,
                      const CostOf& how) {
    const lm::Layout& layout = how.layout;
    double number = how.wide ? 4 : 2;
    auto count = [](const lm::ModelConfig& model) {
        return static_cast<double>(lm::count(lm::weight_table(model)).total);
    };
    double stage = count(student) / layout.pipeline, own = stage / layout.tensor;
    MemoryParts parts;
    parts.weights = own * number;
    if (teacher)
        parts.teacher =
            count(*teacher) / how.teacher_layout.tensor / how.teacher_layout.pipeline * number;
    double tokens = static_cast<double>(training.micro_batch * training.sequence);
    parts.head = kHeadBuffers + 3 * tokens * static_cast<double>(student.hidden) * 4;
    if (training.validate_only)
        return parts;
    parts.gradients = own * 4;
    parts.optimizer = own * (how.wide ? 8 : 12) / layout.data;
    // What other ranks have of a stage comes together on one; what that one has itself is copied
    // where the training goes on meanwhile.
    bool is_shared = layout.tensor > 1 || layout.data > 1;
    bool goes_on = !how.steps || training.save_every < *how.steps;
    parts.snapshot = is_shared || goes_on ? stage * 12 : 0;
    parts.activations =
        kept_a_token(student, layout, training.recompute) * tokens * number * layout.pipeline;
    return parts;
}

}  // namespace stillroom::train
