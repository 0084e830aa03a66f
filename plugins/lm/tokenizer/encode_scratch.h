#pragma once

#include "engine/base/api.h"

#include <memory>

namespace stillroom::lm {

class WordCache;

/// What a thread remembers from text to text: words it has seen. 2 MiB, taken when needed; emptied
/// when another tokenizer uses it, which it keeps until then.
class STILLROOM_API EncodeScratch {
public:
    EncodeScratch();
    ~EncodeScratch();
    EncodeScratch(EncodeScratch&&) noexcept;
    EncodeScratch& operator=(EncodeScratch&&) noexcept;

    WordCache& words(const std::shared_ptr<const void>& tokenizer);

private:
    std::unique_ptr<WordCache> words_;
};

}  // namespace stillroom::lm
