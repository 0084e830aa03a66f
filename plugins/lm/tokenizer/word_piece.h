#pragma once

#include "plugins/lm/tokenizer/model.h"

#include <string>

namespace stillroom::lm {

/// The longest token that a word begins with, again and again; a word that cannot be divided so is
/// unknown as a whole.
class WordPiece final : public Model {
public:
    /// Keeps a reference to the vocabulary. `prefix`: of each token but a word's first.
    WordPiece(const Vocabulary& vocabulary,
              std::uint32_t unknown,
              std::string prefix,
              std::size_t most_characters);

    void encode(std::string_view word, std::vector<Token>& out) const override;

private:
    const Vocabulary& vocabulary_;
    std::uint32_t unknown_;
    std::string prefix_;
    std::size_t most_characters_;
    std::size_t longest_ = 0;  // bytes of a token
};

}  // namespace stillroom::lm
