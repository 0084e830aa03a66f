#pragma once

#include "engine/base/api.h"
#include "plugins/lm/tokenizer/id_buffer.h"

#include <memory>

namespace stillroom::lm {

class WordCache;

/// What a thread remembers from text to text: words it has seen. Takes what its texts need, up to
/// 80 MiB; emptied when another tokenizer uses it, which it keeps until then.
class STILLROOM_API EncodeScratch {
public:
    EncodeScratch();
    ~EncodeScratch();
    EncodeScratch(EncodeScratch&&) noexcept;
    EncodeScratch& operator=(EncodeScratch&&) noexcept;

    WordCache& words(const std::shared_ptr<const void>& tokenizer);
    IdBuffer& ids() { return ids_; }

private:
    std::unique_ptr<WordCache> words_;
    IdBuffer ids_;
};

}  // namespace stillroom::lm
