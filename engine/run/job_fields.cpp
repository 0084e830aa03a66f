#include "engine/run/job_fields.h"

#include "engine/base/files.h"
#include "engine/document/document.h"
#include "engine/document/scalar.h"

#include <fmt/format.h>

#include <cmath>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 20;
constexpr std::size_t kMostNodes = 2'000'000;

}  // namespace

std::string read_job_file(const fs::path& file) {
    return read_file(file, kMostBytes);
}

NodePtr parse_job_json(std::string text, const fs::path& file) {
    Sources sources;
    Diagnostics diagnostics;
    Limits limits;
    limits.file_bytes = kMostBytes;
    limits.nodes = kMostNodes;
    const Source& source = sources.add(file.string(), std::move(text));
    Document document = read_json(source, limits, diagnostics);
    if (!diagnostics.ok()) {
        const Diagnostic& first = diagnostics.all().front();
        throw Error(sources.position(first.where.begin), first.message).exit_code(kExitIntegrity);
    }
    return document.root;
}

void JobFields::refuse(std::string_view key, std::string_view wanted) const {
    throw Error(
        {},
        fmt::format("{} is no job of this stillroom: '{}' is not {}", file_.string(), key, wanted))
        .exit_code(kExitIntegrity);
}

const Node& JobFields::value(std::string_view key, Kind kind, std::string_view wanted) const {
    const Entry* entry = map_.find(key);
    if (!entry || entry->value->kind != kind)
        refuse(key, wanted);
    return *entry->value;
}

NodePtr JobFields::map(std::string_view key) const {
    value(key, Kind::map, "a map");
    return map_.get(key);
}

const std::string& JobFields::text(std::string_view key) const {
    return value(key, Kind::string, "text").text;
}

bool JobFields::boolean(std::string_view key) const {
    return boolean_value(value(key, Kind::boolean, "true or false"));
}

int JobFields::count(std::string_view key, int least, int most) const {
    double number = double_value(value(key, Kind::integer, "a whole number"));
    if (number < least || number > most)
        refuse(key, fmt::format("from {} to {}", least, most));
    return static_cast<int>(number);
}

double JobFields::seconds(std::string_view key) const {
    const Entry* entry = map_.find(key);
    bool is_number =
        entry && (entry->value->kind == Kind::integer || entry->value->kind == Kind::number);
    double number = is_number ? double_value(*entry->value) : -1;
    if (!(number > 0) || !std::isfinite(number))
        refuse(key, "a time above 0 seconds");
    return number;
}

void JobWriter::text(std::string_view name, std::string_view value) {
    key(name);
    string(value);
}
void JobWriter::integer(std::string_view name, std::int64_t value) {
    key(name);
    JsonWriter::integer(value);
}
void JobWriter::number(std::string_view name, double value) {
    key(name);
    JsonWriter::number(value);
}
void JobWriter::boolean(std::string_view name, bool value) {
    key(name);
    JsonWriter::boolean(value);
}
void JobWriter::settings(const NodePtr& map) {
    key("settings");
    write_json(*this, map ? *map : *make_map());
}
void JobWriter::texts(std::string_view name, const std::vector<std::string>& values) {
    key(name);
    begin_array();
    for (const std::string& value : values)
        string(value);
    end_array();
}
void JobWriter::paths(std::string_view name, const std::vector<fs::path>& values) {
    key(name);
    begin_array();
    for (const fs::path& value : values)
        string(value.native());
    end_array();
}

}  // namespace stillroom
