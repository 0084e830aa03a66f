#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// How byte-level BPE splits text into words, as tokenizer.json says it.
struct PreTokenizer {
    std::string_view name;     ///< GGUF's `tokenizer.ggml.pre`
    std::string_view pattern;  ///< of a Split; empty: the one that ByteLevel has itself
    bool single_digits = false;
    bool nfc = false;
    bool ignore_merges = false;  ///< a word that is a token stays whole
    bool add_bos = false;        ///< where the file does not say
};

/// Null: nobody knows how it splits, and another splitter would give wrong tokens silently.
const PreTokenizer* pre_tokenizer_named(std::string_view name);
std::vector<std::string> pre_tokenizer_names();

}  // namespace stillroom::lm
