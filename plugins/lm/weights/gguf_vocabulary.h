#pragma once

#include "plugins/lm/config/new_config.h"
#include "plugins/lm/weights/gguf.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace stillroom::lm {

/// GGUF's token types.
enum class TokenType : std::uint8_t {
    normal = 1,
    unknown = 2,
    control = 3,
    user_defined = 4,
    unused = 5,
    byte = 6
};

/// The tokens of a GGUF file, checked: UTF-8, each once, of known types, ids inside. Without the
/// unused tokens `[PAD...]` at the end, which only make the list as long as the embedding.
struct GgufVocabulary {
    bool byte_level = false;  ///< tokens in the byte alphabet, with merges; else SentencePiece's
    std::string_view pre;     ///< names how text is split before; empty: not said
    std::vector<std::string_view> tokens;
    std::vector<TokenType> types;
    std::vector<float> scores;             ///< SentencePiece's
    std::vector<std::string_view> merges;  ///< of byte level: "a b"
    std::unordered_map<std::string_view, std::uint32_t> ids;

    TokenIds special;
    std::optional<std::int64_t> unknown;
    std::optional<bool> add_bos, add_eos, add_space_prefix;

    std::string_view token(std::int64_t id) const { return tokens[static_cast<std::size_t>(id)]; }
    bool is_added(std::size_t id) const {  ///< matched in the text itself, before it is split
        return types[id] == TokenType::control || types[id] == TokenType::user_defined ||
               types[id] == TokenType::unknown;
    }

    std::vector<std::string> respelled;  // what some of `tokens` view
};

/// Throws Error (exit 3) naming the key and the index.
GgufVocabulary gguf_vocabulary(const GgufFile& file);

}  // namespace stillroom::lm
