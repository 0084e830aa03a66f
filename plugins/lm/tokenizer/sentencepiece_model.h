#pragma once

#include "plugins/lm/tokenizer/decoder.h"
#include "plugins/lm/tokenizer/model.h"
#include "plugins/lm/tokenizer/normalizer.h"
#include "plugins/lm/tokenizer/sentencepiece_file.h"
#include "plugins/lm/tokenizer/unigram.h"

#include <array>
#include <memory>
#include <unordered_map>

namespace stillroom::lm {

/// SentencePiece's own way through a normalised text: pieces merge by score, or the best path is
/// taken; pieces that users defined stand for themselves.
class SentencePieceModel final : public Model {
public:
    SentencePieceModel(std::shared_ptr<const SentencePieceFile> file, const Vocabulary& vocabulary);

    void encode(std::string_view word, std::vector<Token>& out) const override;

private:
    void best_path(std::string_view text, std::vector<Token>& out) const;
    void merges(std::string_view text, std::vector<Token>& out) const;
    void merge_part(std::string_view text, std::size_t begin, std::vector<Token>& out) const;
    std::uint32_t mergeable(std::string_view text) const;

    std::shared_ptr<const SentencePieceFile> file_;
    const Vocabulary& vocabulary_;
    PrefixTree tree_;  // what text can become
    PrefixTree user_defined_;
    std::array<std::uint32_t, 256> byte_ids_{};
    float least_ = 0, most_ = 0;
    std::size_t longest_ = 0;
};

/// SentencePiece's normalisation of a whole text.
NormalizerStep sentencepiece_normalizer(std::shared_ptr<const SentencePieceFile> file);

/// Its text of pieces.
Decoder sentencepiece_decoder(std::shared_ptr<const SentencePieceFile> file);

}  // namespace stillroom::lm
