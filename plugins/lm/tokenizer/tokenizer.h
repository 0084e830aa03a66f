#pragma once

#include "engine/base/api.h"
#include "plugins/lm/tokenizer/encode_scratch.h"
#include "plugins/lm/tokenizer/piece.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

struct TokenizerParts;

struct EncodeOptions {
    /// What the tokenizer puts around a text: a begin, an end.
    bool add_special = true;

    /// The names of special tokens in the text are those tokens. Off for text of users: there
    /// `<|im_end|>` is nine characters. (Added tokens that are not special are found either way.)
    bool allow_special = false;

    /// At most so many tokens, special ones included; 0: all.
    std::size_t max_tokens = 0;
    bool drop_front = false;  ///< what is over the limit goes at the begin, not at the end
};

struct Encoding {
    std::vector<std::uint32_t> ids;
    std::vector<Bounds> bounds;  ///< one for each id; {0, 0} for what stands around the text
};

/// What the file says about cutting texts. It is told, not done: EncodeOptions does it.
struct Truncation {
    std::size_t max_tokens = 0;
    std::size_t stride = 0;
    bool drop_front = false;
};

/// From tokenizer_config.json and generation_config.json beside the tokenizer.
struct SpecialIds {
    std::optional<std::uint32_t> begin;
    std::optional<std::uint32_t> end;
    std::optional<std::uint32_t> padding;
    std::optional<std::uint32_t> unknown;
    std::vector<std::uint32_t> stops;  ///< what ends a generation; `end` where nothing else is said
};

/// Text to ids and back, as the tokenizer's own files say. Immutable, cheap to copy and shared by
/// threads without locks. Equal ids for equal text, on every machine.
///
/// Limits: a file of 512 MiB, 2 Mi tokens, 64 KiB a token, 4 GiB a text; for a split pattern that
/// no scanner knows, 4,000,000 steps and 64 MiB a match. Padding that a file asks for is not done.
class STILLROOM_API Tokenizer {
public:
    /// A folder with tokenizer files, or one such file. Throws Error (exit 3) that says what in it
    /// cannot be.
    static Tokenizer read(const std::filesystem::path& path);
    /// Of the text of a tokenizer.json; `name` stands in messages.
    static Tokenizer parse(std::string_view json, const std::string& name);
    /// Of the bytes of a SentencePiece .model.
    static Tokenizer parse_sentencepiece(std::string_view bytes, const std::string& name);

    explicit Tokenizer(std::shared_ptr<const TokenizerParts> parts) : parts_(std::move(parts)) {}

    /// Throws Error (exit 3) where the text is no UTF-8, with the offset.
    std::vector<std::uint32_t> encode(std::string_view text,
                                      const EncodeOptions& options = {}) const;
    Encoding encode_with_bounds(std::string_view text, const EncodeOptions& options = {}) const;
    /// Appends the ids, the fastest way. `scratch` is a thread's own: what it remembers makes the
    /// next text faster.
    void encode(std::string_view text,
                const EncodeOptions& options,
                EncodeScratch& scratch,
                IdBuffer& ids) const;
    /// The same into a vector, by way of a buffer in `scratch`.
    void encode(std::string_view text,
                const EncodeOptions& options,
                EncodeScratch& scratch,
                std::vector<std::uint32_t>& ids) const;

    /// Throws Error (exit 3) for an id that is none.
    std::string decode(std::span<const std::uint32_t> ids, bool skip_special = false) const;

    std::size_t vocab_size() const;  ///< the largest id + 1
    std::optional<std::uint32_t> id_of(std::string_view token) const;
    /// As the file spells it; nothing: no such id.
    std::optional<std::string_view> token_of(std::uint32_t id) const;
    bool is_special(std::uint32_t id) const;

    const SpecialIds& special() const;
    const std::optional<Truncation>& truncation() const;
    /// What the user should know and no error is: a pattern that takes the slow way.
    const std::vector<std::string>& notices() const;

    const std::shared_ptr<const TokenizerParts>& parts() const { return parts_; }

private:
    std::shared_ptr<const TokenizerParts> parts_;
};

}  // namespace stillroom::lm
