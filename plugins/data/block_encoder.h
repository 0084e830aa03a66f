#pragma once

#include "plugins/data/text_blocks.h"
#include "plugins/lm/data/json_rows.h"
#include "plugins/lm/tokenizer/tokenizer.h"

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::data {

/// How texts become ids.
struct EncodeRules {
    std::vector<std::string> keys;
    lm::EncodeOptions options;
    std::optional<std::uint32_t> end;  ///< ends each document that is not empty
    std::size_t most_tokens = 0;       ///< of a document, before that; 0: all
    bool strip_newlines = false;
    bool skip_bad = false;  ///< leave out rows that are none
};

/// Why a row is none, or why nothing can follow.
struct RowTrouble {
    std::uint64_t line = 0;  ///< from 1, in its block
    std::size_t column = 1;
    std::string why, hint;
};

/// What became of a block.
struct EncodedBlock {
    struct Column {
        std::vector<std::uint32_t> ids;     ///< of all documents, back to back
        std::vector<std::int32_t> lengths;  ///< of each
    };

    std::size_t file = 0;
    TextPlace end;
    std::uint64_t taken = 0;
    std::uint64_t lines = 0;
    std::vector<Column> columns;  ///< one a key, with the same number of documents
    std::uint64_t skipped = 0;
    std::vector<RowTrouble> first_skipped;  ///< a few of them
    std::optional<RowTrouble> trouble;      ///< behind these documents, which count
    std::exception_ptr failure;             ///< the same, of reading
};

/// Turns blocks into ids. A thread's own.
class BlockEncoder {
public:
    BlockEncoder(const lm::Tokenizer& tokenizer, const EncodeRules& rules);

    EncodedBlock encode(const TextBlock& block, lm::TextKind kind);

private:
    void encode_lines(std::string_view lines, EncodedBlock& out);
    void encode_document(std::string_view text, EncodedBlock& out);
    void encode_columns(const TextBlock& block, EncodedBlock& out);
    bool leave_out(RowTrouble trouble, EncodedBlock& out) const;
    bool add_row(std::span<const std::string_view> texts, EncodedBlock& out);
    void add_text(std::string_view text, EncodedBlock::Column& out);

    const lm::Tokenizer& tokenizer_;
    const EncodeRules& rules_;
    lm::JsonRows rows_;
    lm::EncodeScratch scratch_;
    std::string one_line_;
};

}  // namespace stillroom::data
