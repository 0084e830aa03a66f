#include "plugins/lm/modules/generate.h"

#include "engine/base/error.h"
#include "plugins/lm/weights/random.h"

#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

/// A text that grows, and the logits of what comes next.
class Reader {
public:
    Reader(const Decoder& decoder, std::span<const std::int64_t> prompt)
        : decoder_(decoder),
          ids_(prompt.begin(), prompt.end()),
          cache_(decoder.layers.size()) {}

    void append(std::int64_t id) { ids_.push_back(id); }

    /// fp32, on the CPU.
    at::Tensor next_logits_V() {
        if (needs_whole_text(decoder_.config, std::ssize(ids_)))
            cache_.truncate(0);
        Batch batch = batch_of_rows(at::tensor(unread(), at::kLong).unsqueeze(0));
        batch.caches = {&cache_};
        at::Tensor last_TD = last_tokens(hidden_states(decoder_, batch), batch);
        return logits(decoder_, last_TD).flatten().to(at::kCPU, at::kFloat).contiguous();
    }

private:
    at::ArrayRef<std::int64_t> unread() const {
        return at::ArrayRef<std::int64_t>(ids_).slice(static_cast<std::size_t>(cache_.length()));
    }

    const Decoder& decoder_;
    std::vector<std::int64_t> ids_;
    KvCache cache_;
};

}  // namespace

Generated generate(const Decoder& decoder,
                   std::span<const std::int64_t> prompt,
                   const Generation& generation) {
    c10::InferenceMode inference;
    check_sampling(generation.sampling);
    if (prompt.empty())
        throw Error({}, "a prompt has one token at least").exit_code(kExitBadInput);
    CountedRandom random(generation.sampling.seed);
    Reader reader(decoder, prompt);
    Generated out;
    while (std::ssize(out.ids) < generation.max_tokens) {
        at::Tensor logits_V = reader.next_logits_V();
        std::span<const float> values(logits_V.const_data_ptr<float>(),
                                      static_cast<std::size_t>(logits_V.numel()));
        std::int64_t id = take_token(values, generation.sampling, random.uniform(out.ids.size()));
        if (std::count(generation.stop_ids.begin(), generation.stop_ids.end(), id) > 0) {
            out.ending = Ending::stop_id;
            break;
        }
        out.ids.push_back(id);
        if (generation.on_token && !generation.on_token(id)) {
            out.ending = Ending::reader;
            break;
        }
        reader.append(id);
    }
    return out;
}

}  // namespace stillroom::lm
