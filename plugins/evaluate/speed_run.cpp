#include "plugins/evaluate/compute.h"
#include "plugins/evaluate/model.h"
#include "plugins/lm/modules/generate.h"

#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>

namespace stillroom::evaluate {
namespace {

/// Of several tries the fastest: what others do on the machine only slows.
template <class Work>
double fastest_seconds(Work&& work) {
    double best = 0;
    for (int i = 0; i < 3; i++) {
        auto begin = std::chrono::steady_clock::now();
        work();
        std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        best = i == 0 ? took.count() : std::min(best, took.count());
    }
    return best;
}

}  // namespace

extern "C" void stillroom_evaluate_speed(const CompareSettings& settings,
                                         const std::filesystem::path& folder,
                                         RunContext& context,
                                         Speed& out) {
    c10::InferenceMode inference;
    Model model = load_model(context, folder, word(settings.dtype));
    const lm::Decoder& decoder = model.decoder();
    std::int64_t count = settings.speed_tokens;
    if (decoder.config.max_positions > 0)
        count = std::min(count, decoder.config.max_positions / 2);
    std::vector<std::int64_t> ids(static_cast<std::size_t>(std::max<std::int64_t>(count, 1)));
    for (std::size_t i = 0; i < ids.size(); i++)
        ids[i] = static_cast<std::int64_t>(i * 31 + 7) % decoder.config.vocab;
    lm::Batch batch = lm::batch_of_rows(at::tensor(ids, at::kLong).unsqueeze(0));
    auto read = [&] {
        at::Tensor last = lm::last_tokens(lm::hidden_states(decoder, batch), batch);
        static_cast<void>(lm::logits(decoder, last).to(at::kCPU));
    };
    read();
    out.reads = static_cast<double>(ids.size()) / fastest_seconds(read);
    lm::Generation generation;
    generation.max_tokens = std::ssize(ids);
    double seconds =
        fastest_seconds([&] { lm::generate(decoder, std::span(ids).first(1), generation); });
    out.writes = static_cast<double>(ids.size()) / seconds;
    out.dtype = model.dtype;
    model.loaded.files->check();
}

}  // namespace stillroom::evaluate
