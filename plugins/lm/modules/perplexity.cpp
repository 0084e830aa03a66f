#include "plugins/lm/modules/perplexity.h"

#include "engine/base/error.h"
#include "plugins/lm/modules/token_losses.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stillroom::lm {
namespace {

/// Windows [first, last) as one batch, and for each token the one after it: -1 where it is not
/// asked for.
struct WindowBatch {
    Batch batch;
    at::Tensor targets_T;
};

WindowBatch batch_of_windows(std::span<const std::int32_t> ids, std::span<const Window> windows) {
    WindowBatch out;
    std::int64_t tokens = 0;
    for (const Window& window : windows)
        tokens += window.end - window.begin;
    out.batch.ids_T = at::empty({tokens}, at::kLong);
    out.targets_T = at::full({tokens}, -1, at::kLong);
    auto* id = out.batch.ids_T.mutable_data_ptr<std::int64_t>();
    auto* target = out.targets_T.mutable_data_ptr<std::int64_t>();
    for (const Window& window : windows) {
        for (std::int64_t i = window.begin; i < window.end; i++, id++, target++) {
            *id = ids[static_cast<std::size_t>(i)];
            if (i + 1 >= window.asked && i + 1 < window.end)
                *target = ids[static_cast<std::size_t>(i + 1)];
        }
        out.batch.lengths.push_back(window.end - window.begin);
    }
    return out;
}

void check(std::span<const std::int32_t> ids, const std::vector<Window>& windows) {
    for (const Window& window : windows)
        if (window.begin < 0 || window.end > std::ssize(ids) || window.asked <= window.begin ||
            window.asked > window.end)
            throw Error({},
                        fmt::format("no window: tokens {} to {} of {}, asked for from {}",
                                    window.begin,
                                    window.end,
                                    ids.size(),
                                    window.asked));
}

}  // namespace

std::vector<Window> windows(std::int64_t tokens,
                            std::int64_t length,
                            std::int64_t stride,
                            bool keep_short) {
    if (length < 2 || stride < 1 || stride > length)
        throw Error({},
                    fmt::format("windows of {} tokens, {} apart: at least 2, and 1 to the window's "
                                "length apart",
                                length,
                                stride))
            .exit_code(kExitUsage);
    std::vector<Window> out;
    std::int64_t known = 0;  // tokens before it were asked for, or were without context
    for (std::int64_t begin = 0; begin < tokens && known < tokens; begin += stride) {
        std::int64_t end = std::min(begin + length, tokens);
        if (end - begin < length && !keep_short)
            break;
        std::int64_t asked = std::max(known, begin + 1);
        if (asked < end)
            out.push_back({.begin = begin, .end = end, .asked = asked});
        known = end;
    }
    return out;
}

double Losses::mean() const {
    return sum / static_cast<double>(tokens);
}

double Losses::perplexity() const {
    return std::exp(mean());
}

double Losses::standard_error() const {
    if (tokens < 2)
        return 0;
    auto count = static_cast<double>(tokens);
    double variance = std::max(0.0, squares / count - mean() * mean()) * count / (count - 1);
    return std::sqrt(variance / count);
}

Losses losses_over(const Decoder& decoder,
                   std::span<const std::int32_t> ids,
                   const std::vector<Window>& windows,
                   std::int64_t batch_tokens,
                   const std::function<bool(std::size_t done)>& progress) {
    c10::InferenceMode inference;
    check(ids, windows);
    Losses losses;
    for (std::size_t first = 0; first < windows.size();) {
        std::int64_t length = windows[first].end - windows[first].begin;
        std::size_t last = first + 1;
        while (last < windows.size() && windows[last].end - windows[last].begin == length &&
               length * std::ssize(std::span(windows).subspan(first, last + 1 - first)) <=
                   batch_tokens)
            last++;
        WindowBatch part = batch_of_windows(ids, std::span(windows).subspan(first, last - first));
        at::Tensor nll_T =
            token_losses(decoder, hidden_states(decoder, part.batch), part.targets_T).to(at::kCPU);
        const float* nll = nll_T.const_data_ptr<float>();
        const auto* target = part.targets_T.const_data_ptr<std::int64_t>();
        for (std::int64_t i = 0; i < nll_T.numel(); i++) {
            if (target[i] < 0)
                continue;
            losses.sum += nll[i];
            losses.squares += double{nll[i]} * nll[i];
            losses.tokens++;
        }
        first = last;
        if (progress && !progress(first))
            break;
    }
    return losses;
}

}  // namespace stillroom::lm
