#include "engine/base/error.h"
#include "plugins/checkpoint/compute.h"
#include "plugins/lm/modules/batch.h"
#include "plugins/lm/modules/decoder.h"
#include "plugins/lm/modules/load.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace stillroom::checkpoint {
namespace {

/// One model's at a time: two never share the memory.
at::Tensor logits_of(const std::filesystem::path& folder, const at::Tensor& ids) {
    lm::Loaded loaded = lm::load_decoder(folder, at::kCPU, at::kFloat);
    lm::Batch batch = lm::batch_of_rows(ids);
    at::Tensor out = lm::logits(loaded.decoder, lm::hidden_states(loaded.decoder, batch));
    loaded.files->check();  // else what was computed may be of zeros
    return out.to(at::kFloat).contiguous();
}

void compare(const at::Tensor& one, const at::Tensor& other, LogitsDifference& out) {
    if (one.sizes() != other.sizes())
        throw Error({}, "the models' logits have unequal shapes").exit_code(kExitIntegrity);
    const auto vocab = static_cast<std::size_t>(one.size(-1));
    const auto* a = one.const_data_ptr<float>();
    const auto* b = other.const_data_ptr<float>();
    out.positions = one.numel() / one.size(-1);
    double squares = 0, dot = 0, norm_a = 0, norm_b = 0;
    for (std::int64_t row = 0; row < out.positions; ++row, a += vocab, b += vocab) {
        out.same_best += std::max_element(a, a + vocab) - a == std::max_element(b, b + vocab) - b;
        for (std::size_t i = 0; i < vocab; ++i) {
            const double x = a[i], y = b[i];
            if (!std::isfinite(x) || !std::isfinite(y)) {
                ++out.not_numbers;
                continue;
            }
            out.max = std::max(out.max, std::abs(x - y));
            squares += (x - y) * (x - y);
            dot += x * y;
            norm_a += x * x;
            norm_b += y * y;
        }
    }
    out.rms = std::sqrt(squares / static_cast<double>(std::max<std::int64_t>(one.numel(), 1)));
    if (norm_a > 0 && norm_b > 0)
        out.cosine = dot / std::sqrt(norm_a * norm_b);
}

}  // namespace

void stillroom_checkpoint_compare_logits(const std::filesystem::path& folder,
                                         const std::filesystem::path& other,
                                         const std::vector<std::int64_t>& ids,
                                         int threads,
                                         LogitsDifference& out) {
    c10::InferenceMode no_gradients;
    at::set_num_threads(threads);
    at::Tensor text = at::tensor(ids, at::kLong).unsqueeze(0);
    at::Tensor first = logits_of(folder, text);
    compare(first, logits_of(other, text), out);
}

}  // namespace stillroom::checkpoint
