#include "plugins/lm/data/dataset_folder.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/json_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr const char* kName = "dataset.json";
constexpr std::size_t kMostText = std::size_t{64} << 20;
constexpr std::int64_t kFormat = 1;

[[noreturn]] void refuse(const std::string& why) {
    throw Error({}, why).exit_code(kExitBadInput);
}

void write_count(JsonWriter& out, const Count& count) {
    if (count.known())
        return out.integer(count.least);
    out.begin_object();
    out.key("least");
    out.integer(count.least);
    if (count.most) {
        out.key("most");
        out.integer(*count.most);
    }
    out.end_object();
}

Count read_count(const Json& value) {
    Count count;
    if (value.is_number()) {
        count = Count::exactly(value.integer());
    } else {
        count.least = value.at("least").integer();
        if (const Json* most = value.find("most"))
            count.most = most->integer();
    }
    if (count.least < 0 || (count.most && *count.most < count.least))
        refuse(fmt::format("{} is no count", value.text()));
    return count;
}

/// A list with an entry for each prefix.
const std::vector<Json>& parallel(const Json& root, std::string_view key, std::size_t count) {
    const std::vector<Json>& list = root.at(key).list();
    if (list.size() != count)
        refuse(fmt::format("{} has {} entries for {} prefixes", key, list.size(), count));
    return list;
}

template <class Write>
void write_list(JsonWriter& out, std::string_view key, const DatasetInfo& info, Write write) {
    out.key(key);
    out.begin_array();
    for (const DatasetPart& part : info.parts)
        write(part);
    out.end_array();
}

void read_parts(const Json& root, DatasetInfo& info) {
    const std::vector<Json>& prefixes = root.at("prefixes").list();
    std::size_t count = prefixes.size();
    if (count == 0)
        refuse("prefixes is empty");
    const std::vector<Json>& keys = parallel(root, "keys", count);
    const std::vector<Json>& documents = parallel(root, "documents", count);
    const std::vector<Json>& tokens = parallel(root, "tokens", count);
    bool weighted = root.find("weights") != nullptr;
    for (std::size_t i = 0; i < count; ++i) {
        DatasetPart part;
        part.prefix = prefixes[i].string();
        if (part.prefix.empty())
            refuse(fmt::format("prefix {} is empty", i));
        part.key = keys[i].string();
        part.documents = read_count(documents[i]);
        part.tokens = read_count(tokens[i]);
        if (weighted) {
            double weight = parallel(root, "weights", count)[i].number();
            if (!std::isfinite(weight) || weight <= 0)
                refuse(fmt::format("weight {} is {}", i, number_text(weight)));
            part.weight = weight;
        }
        info.parts.push_back(std::move(part));
    }
}

Count sum_of(const std::vector<DatasetPart>& parts, Count DatasetPart::*which) {
    Count sum = Count::exactly(0);
    for (const DatasetPart& part : parts)
        sum = sum + part.*which;
    return sum;
}

void expect_count(const fs::path& prefix, const char* what, const Count& said, std::int64_t found) {
    if (said.known() && said.least != found)
        throw Error(
            {},
            fmt::format(
                "{} holds {} {}, {} says {}", prefix.string(), found, what, kName, said.least))
            .hint("the file was replaced after the dataset was made; make the dataset again")
            .exit_code(kExitBadInput);
}

}  // namespace

Count operator+(const Count& a, const Count& b) {
    Count sum{a.least + b.least, {}};
    if (a.most && b.most)
        sum.most = *a.most + *b.most;
    return sum;
}

Count DatasetInfo::documents() const {
    return sum_of(parts, &DatasetPart::documents);
}

Count DatasetInfo::tokens() const {
    return sum_of(parts, &DatasetPart::tokens);
}

void DatasetInfo::describe_vocabulary(const VocabularyFacts& facts) {
    tokenizer = facts.digest;
    vocabulary = facts.size;
    eod = facts.eod;
}

bool has_dataset_info(const fs::path& folder) {
    std::error_code ignored;
    return fs::exists(folder / kName, ignored);
}

DatasetInfo read_dataset_info(const fs::path& folder) {
    fs::path file = folder / kName;
    DatasetInfo info;
    try {
        Json root = Json::parse(read_file(file, kMostText), kMostText);
        if (root.at("format").integer() != kFormat)
            refuse(fmt::format(
                "format {} is not known, only {}", root.at("format").integer(), kFormat));
        read_parts(root, info);
        if (const Json* digest = root.find("tokenizer"))
            info.tokenizer = digest->string();
        if (const Json* size = root.find("vocabulary")) {
            info.vocabulary = size->integer();
            if (*info.vocabulary < 1)
                refuse(fmt::format("vocabulary is {}", *info.vocabulary));
        }
        if (const Json* eod = root.find("eod")) {
            std::int64_t id = eod->integer();
            if (id < 0 || id >= info.vocabulary.value_or(std::int64_t{1} << 31))
                refuse(fmt::format("eod is {}, which is no id", id));
            info.eod = static_cast<std::uint32_t>(id);
        }
        for (const Json& name : root.at("source").list())
            info.source.push_back(name.string());
        if (const Json* skipped = root.find("skipped"))
            info.skipped = skipped->integer();
    } catch (Error& error) {
        error.note({}, fmt::format("in {}", file.string())).exit_code(kExitBadInput);
        throw;
    }
    return info;
}

void write_dataset_info(const fs::path& folder, const DatasetInfo& info) {
    JsonWriter out(2);
    out.begin_object();
    out.key("format");
    out.integer(kFormat);
    write_list(out, "prefixes", info, [&](const DatasetPart& part) {
        out.string(part.prefix.generic_string());
    });
    if (info.weighted())
        write_list(out, "weights", info, [&](const DatasetPart& part) {
            out.number(part.weight.value_or(1));
        });
    write_list(out, "keys", info, [&](const DatasetPart& part) { out.string(part.key); });
    write_list(
        out, "documents", info, [&](const DatasetPart& part) { write_count(out, part.documents); });
    write_list(
        out, "tokens", info, [&](const DatasetPart& part) { write_count(out, part.tokens); });
    if (!info.tokenizer.empty()) {
        out.key("tokenizer");
        out.string(info.tokenizer);
    }
    if (info.vocabulary) {
        out.key("vocabulary");
        out.integer(*info.vocabulary);
    }
    if (info.eod) {
        out.key("eod");
        out.integer(*info.eod);
    }
    out.key("source");
    out.begin_array();
    for (const std::string& name : info.source)
        out.string(name);
    out.end_array();
    if (info.skipped > 0) {
        out.key("skipped");
        out.integer(info.skipped);
    }
    out.end_object();
    write_record_file(folder / kName, out.take() + "\n");
}

std::int64_t DatasetFolder::tokens() const {
    std::int64_t sum = 0;
    for (const IndexedDataset& part : parts)
        sum += part.tokens();
    return sum;
}

std::int64_t DatasetFolder::documents() const {
    std::int64_t sum = 0;
    for (const IndexedDataset& part : parts)
        sum += part.documents();
    return sum;
}

DatasetFolder open_dataset(const fs::path& folder) {
    DatasetFolder out{read_dataset_info(folder), {}};
    for (DatasetPart& part : out.info.parts) {
        fs::path prefix = (folder / part.prefix).lexically_normal();
        std::error_code ignored;
        fs::path index = prefix;
        index += ".idx";
        if (!fs::exists(index, ignored) && part.prefix.is_absolute())
            throw Error({}, fmt::format("{} is not there any more", index.string()))
                .note({}, fmt::format("{} refers to it and copied no tokens", folder.string()))
                .hint("put it back, or make the dataset again with --force")
                .exit_code(kExitBadInput);
        IndexedDataset data = IndexedDataset::open(prefix);
        expect_count(prefix, "documents", part.documents, data.documents());
        expect_count(prefix, "tokens", part.tokens, data.tokens());
        out.parts.push_back(std::move(data));
    }
    return out;
}

}  // namespace stillroom::lm
