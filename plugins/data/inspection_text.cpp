// What an inspection found, for programs and for people.

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/units.h"
#include "plugins/data/inspection.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::data {
namespace {

void put(JsonWriter& out, std::string_view key, std::int64_t value) {
    out.key(key);
    out.integer(value);
}

void put(JsonWriter& out, std::string_view key, const std::vector<std::int32_t>& values) {
    out.key(key);
    out.begin_array();
    for (std::int32_t value : values)
        out.integer(value);
    out.end_array();
}

void put_text(JsonWriter& out, std::string_view key, std::string_view value) {
    out.key(key);
    out.string(value);
}

void put_lengths(JsonWriter& out, const LengthStats& lengths) {
    out.key("lengths");
    out.begin_object();
    put(out, "min", lengths.least);
    put(out, "max", lengths.most);
    put(out, "empty", lengths.empty);
    out.key("mean");
    out.number(lengths.mean);
    for (auto [percent, length] : lengths.percentiles)
        put(out, fmt::format("p{}", percent), length);
    out.key("histogram");
    out.begin_array();
    for (auto [from, documents] : lengths.histogram) {
        out.begin_object();
        put(out, "from", from);
        put(out, "documents", documents);
        out.end_object();
    }
    out.end_array();
    out.end_object();
}

void put_ids(JsonWriter& out, const Inspection& inspection, const IdStats& ids) {
    out.key("ids");
    out.begin_object();
    put(out, "scanned", ids.scanned);
    put(out, "min", ids.least);
    put(out, "max", ids.most);
    put(out, "distinct", ids.distinct);
    out.key("special");
    out.begin_array();
    for (auto [id, count] : ids.special) {
        out.begin_object();
        put(out, "id", id);
        put_text(out, "token", inspection.names.at(id));
        put(out, "count", count);
        out.end_object();
    }
    out.end_array();
    out.end_object();
}

void put_shown(JsonWriter& out, const ShownTokens& shown) {
    out.begin_object();
    put(out, "index", shown.index);
    put(out, "tokens", shown.length);
    put(out, "ids", shown.ids);
    if (!shown.bounds.empty())
        put(out, "bounds", shown.bounds);
    if (shown.text)
        put_text(out, "text", *shown.text);
    out.end_object();
}

void put_part(JsonWriter& out, const Inspection& inspection, std::size_t index) {
    const PartInspection& part = inspection.parts[index];
    const lm::DatasetPart& about = inspection.info.parts[index];
    out.begin_object();
    put_text(out, "prefix", about.prefix.generic_string());
    put_text(out, "key", about.key);
    if (about.weight) {
        out.key("weight");
        out.number(*about.weight);
    }
    put_text(out, "type", part.type);
    put(out, "documents", part.documents);
    put(out, "sequences", part.sequences);
    put(out, "tokens", part.tokens);
    put(out, "bytes", static_cast<std::int64_t>(part.bytes));
    put_lengths(out, part.lengths);
    put_ids(out, inspection, part.ids);
    out.key("first");
    out.begin_array();
    for (const ShownTokens& shown : part.shown)
        put_shown(out, shown);
    out.end_array();
    out.end_object();
}

/// A table's row of a name and what it is.
std::string row(std::string_view name, std::string_view value) {
    return fmt::format("| {} | {} |\n", name, value);
}

/// In a code block no mark of the text means anything.
std::string block(std::string_view text) {
    std::string out = "\n";
    for (const std::string& line : split(text, '\n'))
        out += "    " + escape_controls(line) + "\n";
    return out;
}

std::string ids_text(const ShownTokens& shown) {
    std::string out;
    for (std::size_t i = 0; i < shown.ids.size(); ++i) {
        bool border =
            std::find(shown.bounds.begin(), shown.bounds.end(), static_cast<std::int32_t>(i)) !=
            shown.bounds.end();
        out += border && i > 0 ? " | " : i > 0 ? " " : "";
        out += std::to_string(shown.ids[i]);
    }
    if (static_cast<std::int64_t>(shown.ids.size()) < shown.length)
        out += " ...";
    return out;
}

std::string bar(std::int64_t count, std::int64_t most) {
    constexpr double kWidth = 40;
    auto length = static_cast<std::size_t>(kWidth * static_cast<double>(count) /
                                           static_cast<double>(std::max<std::int64_t>(most, 1)));
    return std::string(std::max<std::size_t>(length, 1), '#');
}

std::string histogram_text(const LengthStats& lengths) {
    std::int64_t most = 0;
    for (auto [from, documents] : lengths.histogram)
        most = std::max(most, documents);
    std::string out;
    for (auto [from, documents] : lengths.histogram) {
        std::string range =
            from < 2 ? std::to_string(from) : fmt::format("{}-{}", from, from * 2 - 1);
        out += fmt::format("{:>17} {:>9} {}\n", range, documents, bar(documents, most));
    }
    return out.substr(0, out.find_last_not_of('\n') + 1);
}

std::string shown_text(const ShownTokens& shown, std::string_view what) {
    std::string out = fmt::format("\n{} {}, {} tokens:\n", what, shown.index, shown.length);
    if (shown.text)
        out += block(*shown.text);
    return out + block(ids_text(shown));
}

std::string part_text(const Inspection& inspection, std::size_t index) {
    const PartInspection& part = inspection.parts[index];
    const lm::DatasetPart& about = inspection.info.parts[index];
    std::string out = fmt::format("\n## {}\n\n| | |\n| --- | --- |\n",
                                  escape_controls(about.prefix.generic_string()));
    if (about.weight)
        out += row("weight", fmt::format("{:g}", *about.weight));
    out += row("documents", std::to_string(part.documents));
    if (part.sequences != part.documents)
        out += row("sequences", std::to_string(part.sequences));
    out +=
        row("tokens", fmt::format("{} of {}, {}", part.tokens, part.type, size_text(part.bytes)));
    out += row("length",
               fmt::format("{} to {}, mean {:.1f}, {} empty",
                           part.lengths.least,
                           part.lengths.most,
                           part.lengths.mean,
                           part.lengths.empty));
    for (auto [percent, length] : part.lengths.percentiles)
        out += row(fmt::format("{} % are at most", percent), std::to_string(length));
    if (part.ids.scanned > 0)
        out += row("ids",
                   fmt::format("{} to {}, {} different, of {} tokens",
                               part.ids.least,
                               part.ids.most,
                               part.ids.distinct,
                               part.ids.scanned));
    for (auto [id, count] : part.ids.special)
        out += row(fmt::format("`{}` ({})", escape_controls(inspection.names.at(id)), id),
                   std::to_string(count));
    out += fmt::format("\nDocuments by length in tokens:\n{}", block(histogram_text(part.lengths)));
    for (const ShownTokens& shown : part.shown)
        out += shown_text(shown, "Document");
    return out;
}

}  // namespace

std::string json_of(const Inspection& inspection) {
    JsonWriter out(2);
    const lm::DatasetInfo& info = inspection.info;
    std::int64_t documents = 0, tokens = 0;
    for (const PartInspection& part : inspection.parts) {
        documents += part.documents;
        tokens += part.tokens;
    }
    out.begin_object();
    put(out, "documents", documents);
    put(out, "tokens", tokens);
    if (info.vocabulary)
        put(out, "vocabulary", *info.vocabulary);
    if (info.eod)
        put(out, "eod", *info.eod);
    if (!info.tokenizer.empty())
        put_text(out, "tokenizer", info.tokenizer);
    out.key("source");
    out.begin_array();
    for (const std::string& name : info.source)
        out.string(name);
    out.end_array();
    out.key("parts");
    out.begin_array();
    for (std::size_t i = 0; i < inspection.parts.size(); ++i)
        put_part(out, inspection, i);
    out.end_array();
    out.key("batch");
    out.begin_object();
    put(out, "sequence", inspection.sequence);
    put(out, "samples", inspection.samples);
    out.key("rows");
    out.begin_array();
    for (const ShownTokens& shown : inspection.rows)
        put_shown(out, shown);
    out.end_array();
    if (!inspection.no_rows.empty())
        put_text(out, "why_none", inspection.no_rows);
    out.end_object();
    out.end_object();
    return out.take() + "\n";
}

std::string text_of(const Inspection& inspection) {
    const lm::DatasetInfo& info = inspection.info;
    std::int64_t documents = 0, tokens = 0;
    for (const PartInspection& part : inspection.parts) {
        documents += part.documents;
        tokens += part.tokens;
    }
    std::string out =
        fmt::format("# {} tokens in {} documents\n\n| | |\n| --- | --- |\n", tokens, documents);
    for (const std::string& name : info.source)
        out += row("source", escape_controls(name));
    out += row("vocabulary", info.vocabulary ? std::to_string(*info.vocabulary) : "not known");
    out += row("end of a document", info.eod ? std::to_string(*info.eod) : "not known");
    if (!info.tokenizer.empty())
        out += row("tokenizer", info.tokenizer.substr(0, 12));
    for (std::size_t i = 0; i < inspection.parts.size(); ++i)
        out += part_text(inspection, i);
    out += fmt::format("\n## A batch\n\n{} samples of {} tokens in one pass{}\n",
                       inspection.samples,
                       inspection.sequence,
                       inspection.rows.empty() ? "." : "; where a document ends, the row shows |.");
    if (!inspection.no_rows.empty())
        out += fmt::format("No row can be shown: {}.\n", inspection.no_rows);
    for (const ShownTokens& shown : inspection.rows) {
        out += shown_text(shown, "Row") + "\n";
        std::size_t pieces = shown.bounds.size() - 1;
        out += pieces == 1 ? "It is of one document.\n"
                           : fmt::format("It is of {} pieces of documents.\n", pieces);
    }
    return out;
}

}  // namespace stillroom::data
