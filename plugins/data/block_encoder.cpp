#include "plugins/data/block_encoder.h"

#include "engine/base/error.h"
#include "plugins/lm/data/line_blocks.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::data {
namespace {

constexpr std::size_t kMostTold = 3;
constexpr std::string_view kMark = "\xef\xbb\xbf";  // of UTF-8, at the begin of a file

bool is_blank(std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// The marks of UTF-16 are no UTF-8: said by name, since every line would be wrong.
std::optional<RowTrouble> other_encoding(std::string_view bytes) {
    if (!bytes.starts_with("\xff\xfe") && !bytes.starts_with("\xfe\xff"))
        return std::nullopt;
    return RowTrouble{
        1, 1, "this file is UTF-16, not UTF-8", "iconv -f UTF-16 -t UTF-8 makes it that"};
}

/// Characters, not bytes, as an editor counts them.
std::size_t column_of(std::string_view line, std::size_t at) {
    std::string_view before = line.substr(0, at);
    auto inside =
        std::count_if(before.begin(), before.end(), [](char c) { return (c & 0xC0) == 0x80; });
    return before.size() - static_cast<std::size_t>(inside) + 1;
}

}  // namespace

BlockEncoder::BlockEncoder(const lm::Tokenizer& tokenizer, const EncodeRules& rules)
    : tokenizer_(tokenizer),
      rules_(rules),
      rows_(rules.keys) {}

EncodedBlock BlockEncoder::encode(const TextBlock& block, lm::TextKind kind) {
    EncodedBlock out;
    out.file = block.file;
    out.end = block.end;
    out.taken = block.taken;
    out.columns.resize(rules_.keys.size());
    std::string_view bytes = block.bytes;
    if (block.first && kind != lm::TextKind::parquet) {
        out.trouble = other_encoding(bytes);
        if (bytes.starts_with(kMark))
            bytes.remove_prefix(kMark.size());
    }
    if (!out.trouble && !block.fault.empty())
        out.trouble = RowTrouble{1, 1, block.fault, {}};
    if (out.trouble)
        return out;
    if (kind == lm::TextKind::text)
        encode_document(bytes, out);
    else if (kind == lm::TextKind::parquet)
        encode_columns(block, out);
    else
        encode_lines(bytes, out);
    return out;
}

void BlockEncoder::encode_document(std::string_view text, EncodedBlock& out) {
    out.lines = 1;
    if (!add_row({&text, 1}, out))
        out.trouble->line = 0;  // what is said of a text gives the place in it
}

void BlockEncoder::encode_lines(std::string_view lines, EncodedBlock& out) {
    while (!lines.empty() && !out.trouble) {
        std::string_view line = lm::take_line(lines);
        ++out.lines;
        if (is_blank(line))
            continue;
        std::optional<lm::RowFault> fault = rows_.read(line);
        if (!fault) {
            if (!add_row(rows_.texts(), out))
                out.trouble->line = out.lines;
            continue;
        }
        RowTrouble trouble{out.lines, column_of(line, fault->at), fault->why, fault->hint};
        if (fault->of_kind || !leave_out(trouble, out))
            out.trouble = std::move(trouble);
    }
}

void BlockEncoder::encode_columns(const TextBlock& block, EncodedBlock& out) {
    std::vector<std::string_view> texts(rules_.keys.size());
    std::string_view bytes = block.bytes;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < block.ends.size() && !out.trouble;) {
        ++out.lines;
        std::optional<std::size_t> null;
        for (std::size_t i = 0; i < texts.size(); ++i, ++at) {
            if (block.ends[at] == TextBlock::kNull) {
                null = i;
                continue;
            }
            texts[i] = bytes.substr(begin, block.ends[at] - begin);
            begin = block.ends[at];
        }
        if (null) {
            RowTrouble trouble{
                out.lines, 1, fmt::format("the field '{}' is null", rules_.keys[*null]), {}};
            if (!leave_out(trouble, out))
                out.trouble = std::move(trouble);
        } else if (!add_row(texts, out)) {
            out.trouble->line = out.lines;
        }
    }
}

/// Where that is the rule.
bool BlockEncoder::leave_out(RowTrouble trouble, EncodedBlock& out) const {
    if (!rules_.skip_bad)
        return false;
    ++out.skipped;
    if (out.first_skipped.size() < kMostTold)
        out.first_skipped.push_back(std::move(trouble));
    return true;
}

/// All keys of a row, or none.
bool BlockEncoder::add_row(std::span<const std::string_view> texts, EncodedBlock& out) {
    std::vector<std::size_t> before;
    for (const EncodedBlock::Column& column : out.columns)
        before.push_back(column.ids.size());
    try {
        for (std::size_t i = 0; i < texts.size(); ++i)
            add_text(texts[i], out.columns[i]);
    } catch (const Error& error) {
        std::size_t documents = out.columns.back().lengths.size();
        for (std::size_t i = 0; i < texts.size(); ++i) {
            out.columns[i].ids.resize(before[i]);
            out.columns[i].lengths.resize(documents);
        }
        out.trouble = RowTrouble{0, 1, error.what(), error.hint_text()};
        return false;
    }
    return true;
}

void BlockEncoder::add_text(std::string_view text, EncodedBlock::Column& out) {
    if (rules_.strip_newlines && text.find('\n') != text.npos) {
        one_line_ = text;
        std::replace(one_line_.begin(), one_line_.end(), '\n', ' ');
        text = one_line_;
    }
    std::size_t begin = out.ids.size();
    tokenizer_.encode(text, rules_.options, scratch_, out.ids);
    std::size_t count = out.ids.size() - begin;
    if (rules_.most_tokens > 0 && count > rules_.most_tokens)
        out.ids.resize(begin + (count = rules_.most_tokens));
    if (count > 0 && rules_.end) {
        out.ids.push_back(*rules_.end);
        ++count;
    }
    out.lengths.push_back(static_cast<std::int32_t>(count));
}

}  // namespace stillroom::data
