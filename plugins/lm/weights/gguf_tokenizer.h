#pragma once

#include "engine/base/api.h"
#include "plugins/lm/weights/gguf_vocabulary.h"

#include <string>

namespace stillroom::lm {

/// What stands around a text's own tokens.
struct AddedEnds {
    bool bos = false, eos = false;
};
AddedEnds added_ends(const GgufFile& file, const GgufVocabulary& vocabulary);

/// The tokenizer.json of a GGUF file's vocabulary. Throws Error (exit 3) for a splitter that is not
/// known and a merge that does not fit its vocabulary.
STILLROOM_API std::string gguf_tokenizer_text(const GgufFile& file,
                                              const GgufVocabulary& vocabulary);

/// Its tokenizer_config.json and special_tokens_map.json.
STILLROOM_API std::string gguf_tokenizer_config_text(const GgufFile& file,
                                                     const GgufVocabulary& vocabulary,
                                                     std::int64_t max_positions);
STILLROOM_API std::string gguf_special_tokens_text(const GgufVocabulary& vocabulary);

}  // namespace stillroom::lm
