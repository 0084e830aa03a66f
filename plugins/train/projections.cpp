#include "plugins/train/projections.h"

#include "plugins/lm/weights/random.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace stillroom::train {
namespace {

bool has(const std::vector<lm::HeldWeight>& all, const std::string& name) {
    return std::any_of(
        all.begin(), all.end(), [&](const lm::HeldWeight& one) { return one.name == name; });
}

}  // namespace

std::vector<lm::HiddenTerm> hidden_terms(const Training& training,
                                         const lm::ModelConfig& student,
                                         const lm::ModelConfig& teacher) {
    std::vector<lm::HiddenTerm> out;
    for (std::size_t i = 0; i < training.hidden.size(); i++) {
        const HiddenWish& wish = training.hidden[i];
        lm::HiddenTerm term{.student = *lm::point_named(wish.student),
                            .teacher = *lm::point_named(wish.teacher),
                            .kind = wish.is_cosine ? lm::HiddenKind::cosine : lm::HiddenKind::mse,
                            .weight = wish.weight,
                            .projection = {}};
        if (student.hidden != teacher.hidden)
            term.projection = std::string(lm::kProjections) +
                              (training.shared_projection ? "shared" : std::to_string(i));
        out.push_back(std::move(term));
    }
    return out;
}

std::vector<lm::HeldWeight> projections_here(const std::vector<lm::HiddenTerm>& terms,
                                             const lm::Mesh& mesh,
                                             bool sequence,
                                             const lm::ModelConfig& student,
                                             const lm::ModelConfig& teacher) {
    std::vector<lm::HeldWeight> out;
    for (const lm::HiddenTerm& term : terms) {
        if (term.projection.empty() ||
            lm::stage_of(mesh.layout, term.student) != mesh.place.pipeline)
            continue;
        auto add = [&](const char* end, const lm::Shape& shape) {
            lm::HeldWeight held;
            held.name = term.projection + end;
            held.whole = held.shape = shape;
            held.runs = {{0, shape[0]}};
            if (sequence && mesh.layout.tensor > 1)
                held.sharing = lm::Sharing::summed;
            held.counted = mesh.place.tensor == 0;
            if (!has(out, held.name))
                out.push_back(std::move(held));
        };
        add(".weight", {teacher.hidden, student.hidden});
        add(".bias", {teacher.hidden});
    }
    return out;
}

void begin_projection(const lm::HeldWeight& held, std::int64_t seed, const at::Tensor& into) {
    into.zero_();
    if (held.whole.size() < 2)
        return;
    double bound = std::sqrt(6.0 / static_cast<double>(held.whole[0] + held.whole[1]));
    std::uint64_t stream = 0;
    for (char letter : held.name)
        stream = stream * 257 + static_cast<unsigned char>(letter);
    lm::CountedRandom random(static_cast<std::uint64_t>(seed), stream);
    auto* values = into.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < into.numel(); i++)
        values[i] =
            static_cast<float>(bound * (2 * random.uniform(static_cast<std::uint64_t>(i)) - 1));
}

}  // namespace stillroom::train
