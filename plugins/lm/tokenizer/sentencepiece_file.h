#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// What a SentencePiece .model says, checked: every piece has a text of its own, every score is a
/// number, ids are within the pieces or -1.
struct SentencePieceFile {
    enum class Type : std::uint8_t { normal = 1, unknown, control, user_defined, unused, byte };
    struct Entry {
        std::string text;
        float score = 0;
        Type type = Type::normal;
    };

    std::vector<Entry> pieces;
    bool is_bpe = false;  ///< else unigram
    bool suffix = false;  ///< white space belongs to the word before it
    bool byte_fallback = false;
    std::int32_t unknown = 0, begin = 1, end = 2, padding = -1;
    std::string unknown_surface = " \xE2\x81\x87 ";
    std::string charsmap;
    bool dummy_prefix = true;
    bool remove_extra_blanks = true;
    bool escape_blanks = true;
    bool denormalizes = false;  ///< which is not done
};

/// Throws Error (exit 3) with the offset of what cannot be.
STILLROOM_API SentencePieceFile read_sentencepiece_file(std::string_view bytes,
                                                        const std::string& file);

}  // namespace stillroom::lm
