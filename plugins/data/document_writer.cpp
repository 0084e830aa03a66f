#include "plugins/data/document_writer.h"

#include "engine/base/digest.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/json_value.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/plugin/stage.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::data {
namespace fs = std::filesystem;
namespace {

constexpr const char* kState = "place.json";
constexpr std::size_t kMostState = std::size_t{1} << 20;
constexpr std::uint64_t kMostWarned = 5;

fs::path stem_of(const fs::path& work, std::size_t pair) {
    return work / fmt::format("pair-{}", pair);
}

/// Equal for the same files, unchanged since.
std::string inputs_of(const std::vector<lm::TextFile>& files) {
    PlainSha256 hash;
    for (const lm::TextFile& file : files) {
        FileStamp stamp = stamp_of(file.path);
        hash.add(fmt::format(
            "{}\n{} {} {}\n", file.path.string(), stamp.inode, stamp.size, stamp.modified_ns));
    }
    std::string hex;
    for (unsigned char byte : hash.take())
        hex += fmt::format("{:02x}", byte);
    return hex;
}

std::uint64_t count_at(const Json& json, std::string_view key) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(json.at(key).integer(), 0));
}

}  // namespace

bool is_held_out(std::int64_t seed, std::uint64_t document, double share) {
    if (share <= 0)
        return false;
    PlainSha256 hash;
    hash.add(fmt::format("{}/{}", seed, document));
    PlainSha256::Hash bytes = hash.take();
    std::uint64_t first = 0;
    for (int i = 0; i < 8; ++i)
        first = (first << 8) | bytes[static_cast<std::size_t>(i)];
    return static_cast<double>(first >> 11) * 0x1p-53 < share;
}

DocumentWriter::DocumentWriter(RunContext& context,
                               const WriteRules& rules,
                               const std::vector<lm::TextFile>& files)
    : context_(context),
      rules_(rules),
      files_(files),
      inputs_(inputs_of(files)) {
    if (!resume())
        begin();
}

void DocumentWriter::begin() {
    fs::path work = context_.work();
    remove_tree(work / kState);  // it told of other bytes
    for (const char* output : {"data", "valid"})
        for (const std::string& key : rules_.keys)
            if (rules_.holdout > 0 || output == std::string_view("data"))
                pairs_.push_back(
                    {output, key, GrowingPair(stem_of(work, pairs_.size()), rules_.type, {})});
}

/// True if there was something to go on with.
bool DocumentWriter::resume() {
    fs::path work = context_.work();
    std::error_code ignored;
    if (!fs::exists(work / kState, ignored))
        return false;
    Json state = Json::parse(read_file(work / kState, kMostState));
    if (state.at("inputs").string() != inputs_) {
        context_.log(LogLevel::warning, "the files are others than before: beginning anew");
        return false;
    }
    std::vector<GrowingPair::Saved> saved;
    for (const Json& pair : state.at("pairs").list()) {
        GrowingPair::Saved size{pair.at("documents").integer(), pair.at("tokens").integer()};
        if (!GrowingPair::holds(stem_of(work, saved.size()), rules_.type, size))
            return false;  // it was stopped while it moved them into the outputs
        saved.push_back(size);
    }
    place_ = {count_at(state, "file"), count_at(state, "offset")};
    line_ = count_at(state, "line");
    taken_ = count_at(state, "taken");
    tally_ = {count_at(state, "documents"), count_at(state, "tokens"), count_at(state, "skipped")};
    tokens_ = tally_.tokens;
    std::size_t keys = rules_.keys.size();
    for (std::size_t i = 0; i < saved.size(); ++i) {
        bool valid = i >= keys;
        pairs_.push_back({valid ? "valid" : "data",
                          rules_.keys[i % keys],
                          GrowingPair(stem_of(work, i), rules_.type, saved[i])});
        if (!valid)
            data_tokens_ += static_cast<std::uint64_t>(saved[i].tokens);
    }
    context_.log(LogLevel::info,
                 fmt::format("going on behind {} of {}, with {} tokens",
                             place_.file < files_.size() ? fmt::format("line {}", line_)
                                                         : std::string("the end"),
                             escape_controls(files_[std::min(place_.file, files_.size() - 1)].name),
                             tally_.tokens));
    return true;
}

std::string DocumentWriter::state_text() const {
    JsonWriter out(2);
    out.begin_object();
    out.key("inputs");
    out.string(inputs_);
    auto put = [&](const char* key, std::uint64_t value) {
        out.key(key);
        out.integer(static_cast<std::int64_t>(value));
    };
    put("file", place_.file);
    put("offset", place_.offset);
    put("line", line_);
    put("taken", taken_);
    put("documents", tally_.documents);
    put("tokens", tally_.tokens);
    put("skipped", tally_.skipped);
    out.key("pairs");
    out.begin_array();
    for (const Pair& pair : pairs_) {
        out.begin_object();
        put("documents", static_cast<std::uint64_t>(pair.files.size().documents));
        put("tokens", static_cast<std::uint64_t>(pair.files.size().tokens));
        out.end_object();
    }
    out.end_array();
    out.end_object();
    return out.take() + "\n";
}

void DocumentWriter::save() {
    for (Pair& pair : pairs_)
        pair.files.save();
    replace_file(context_.work() / kState, state_text(), true);
}

std::string DocumentWriter::place_text(const RowTrouble& trouble, std::size_t file) const {
    return fmt::format("{}:{}", escape_controls(files_[file].name), line_ + trouble.line);
}

void DocumentWriter::refuse(const RowTrouble& trouble, std::size_t file) const {
    Position where{files_[file].name, 0, 0};
    if (trouble.line > 0) {
        where.line = static_cast<int>(std::min<std::uint64_t>(line_ + trouble.line, 2'000'000'000));
        where.column = static_cast<int>(std::min<std::size_t>(trouble.column, 2'000'000'000));
    }
    Error error(where, trouble.why);
    if (!trouble.hint.empty())
        error.hint(trouble.hint);
    throw error.exit_code(kExitBadInput);
}

void DocumentWriter::warn_of_skipped(const EncodedBlock& block) {
    for (const RowTrouble& trouble : block.first_skipped) {
        if (tally_.skipped >= kMostWarned)
            return;
        context_.log(LogLevel::warning,
                     fmt::format("left out {}: {}", place_text(trouble, block.file), trouble.why));
    }
}

void DocumentWriter::add_run(const EncodedBlock& block,
                             std::size_t first,
                             std::size_t last,
                             bool valid) {
    std::size_t keys = rules_.keys.size();
    for (std::size_t key = 0; key < keys; ++key) {
        const EncodedBlock::Column& column = block.columns[key];
        std::span<const std::int32_t> lengths =
            std::span(column.lengths).subspan(first, last - first);
        std::size_t count = 0;
        for (std::int32_t length : lengths)
            count += static_cast<std::size_t>(length);
        pairs_[valid ? keys + key : key].files.add(
            std::span(column.ids).subspan(ids_from_[key], count), lengths);
        ids_from_[key] += count;
        tally_.tokens += count;
        if (!valid)
            data_tokens_ += count;
    }
    tally_.documents += last - first;
}

bool DocumentWriter::add(const EncodedBlock& block) {
    if (block.failure)
        std::rethrow_exception(block.failure);
    if (block.file != place_.file)
        line_ = 0;
    ids_from_.assign(rules_.keys.size(), 0);
    std::size_t documents = block.columns.front().lengths.size();
    bool enough = false;
    if (rules_.holdout <= 0 && rules_.most_tokens == 0) {
        add_run(block, 0, documents, false);
    } else {
        for (std::size_t i = 0; i < documents && !enough; ++i) {
            add_run(block, i, i + 1, is_held_out(rules_.seed, tally_.documents, rules_.holdout));
            enough = rules_.most_tokens > 0 &&
                     data_tokens_ >= static_cast<std::uint64_t>(rules_.most_tokens);
        }
    }
    if (block.trouble && !enough)
        refuse(*block.trouble, block.file);
    warn_of_skipped(block);
    tally_.skipped += block.skipped;
    line_ += block.lines;
    place_ = block.end;
    taken_ = block.taken;
    tokens_ = tally_.tokens;
    return !enough;
}

std::vector<lm::DatasetPart> DocumentWriter::finish(const std::string& output) {
    std::vector<lm::DatasetPart> parts;
    for (Pair& pair : pairs_) {
        if (pair.output != output)
            continue;
        std::string prefix = pair.key + "_document";
        pair.files.finish(context_, context_.output(output) / prefix);
        GrowingPair::Saved size = pair.files.size();
        parts.push_back({prefix,
                         pair.key,
                         {},
                         lm::Count::exactly(size.documents),
                         lm::Count::exactly(size.tokens)});
    }
    return parts;
}

}  // namespace stillroom::data
