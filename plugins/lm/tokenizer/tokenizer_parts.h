#pragma once

#include "plugins/lm/tokenizer/added_tokens.h"
#include "plugins/lm/tokenizer/beside.h"
#include "plugins/lm/tokenizer/compiled.h"
#include "plugins/lm/tokenizer/decoder.h"
#include "plugins/lm/tokenizer/large_text.h"
#include "plugins/lm/tokenizer/model.h"
#include "plugins/lm/tokenizer/normalizer.h"
#include "plugins/lm/tokenizer/post_processor.h"
#include "plugins/lm/tokenizer/pre_tokenizer.h"
#include "plugins/lm/tokenizer/tokenizer.h"
#include "plugins/lm/tokenizer/vocabulary.h"

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace stillroom::lm {

inline constexpr std::size_t kMostTokenizerBytes = std::size_t{512} << 20;

/// A tokenizer as data: what each kind of file is read into.
struct TokenizerParts {
    std::shared_ptr<const void> memory;  ///< in which others lie
    std::string file;
    Vocabulary vocabulary;  ///< the model's; it stays where it is
    std::vector<AddedToken> added;
    Normalizer normalizer;
    PreTokenizer pre_tokenizer;
    std::unique_ptr<const Model> model;
    PostProcessor post_processor;
    Decoder decoder;
    std::optional<Truncation> truncation;
    SpecialIds special;
    std::vector<std::string> notices;

    // Made by finish() of the above.
    std::vector<std::string> added_texts;  ///< as they look in normalised text
    std::unordered_map<std::uint32_t, std::uint32_t> added_by_id;
    std::unordered_map<std::string, std::uint32_t> added_by_text;
    AddedTokenFinder raw_finder;
    AddedTokenFinder normalized_finder;
    std::size_t end_of_ids = 0;

    Beside<void> leaving;  ///< what still reads all that; the last, so that it is waited for

    /// Gives a token its id: the vocabulary's, else the next. Throws Error (exit 3) where `stated`
    /// is another; the same token again changes nothing.
    void add_token(AddedToken token, std::optional<std::uint32_t> stated);
    void finish();

    std::size_t id_end() const { return end_of_ids; }
    std::uint32_t find(std::string_view token) const;  ///< Vocabulary::kNone: no such token
    /// Of an added token what it looks like in normalised text, as the reference decodes it.
    std::optional<std::string_view> token_of(std::uint32_t id) const;
    bool is_special(std::uint32_t id) const;
};

/// Files of ranked tokens: tekken.json, and tiktoken's lines of base64 and rank.
std::shared_ptr<TokenizerParts> read_tekken(std::string_view text, const std::string& file);
std::shared_ptr<TokenizerParts> read_ranks(std::string_view text, const std::string& file);
bool looks_like_ranks(std::string_view text);

/// A SentencePiece .model.
std::shared_ptr<TokenizerParts> read_sentencepiece(std::string_view bytes, const std::string& name);

/// A tokenizer.json. `file` stands in messages.
std::shared_ptr<TokenizerParts> read_tokenizer_json(std::string_view text, const std::string& file);
/// The same; `rest` becomes what of it the vocabulary and the model cannot write.
std::shared_ptr<TokenizerParts> read_tokenizer_json(const LargeText& text,
                                                    const std::string& file,
                                                    std::string& rest);
/// That rest, and then what those have written. Null: it is not as it should be.
std::shared_ptr<TokenizerParts> read_compiled_tokenizer(CompiledReader& in,
                                                        const std::string& file);

}  // namespace stillroom::lm
