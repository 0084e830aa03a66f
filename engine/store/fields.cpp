#include "engine/store/fields.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/document/document.h"
#include "engine/document/scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace stillroom {
namespace {

constexpr std::size_t kMostBytes = std::size_t{256} << 20;
constexpr std::size_t kMostNodes = 8'000'000;  // a million files

}  // namespace

NodePtr parse_store_text(std::string text) {
    Sources sources;
    Diagnostics diagnostics;
    Limits limits;
    limits.file_bytes = kMostBytes;
    limits.nodes = kMostNodes;
    Document document = read_json(sources.add("", std::move(text)), limits, diagnostics);
    if (!diagnostics.ok())
        throw Unreadable{diagnostics.all().front().message};
    if (!document.root || !document.root->is_map())
        throw Unreadable{"it holds no JSON object"};
    return document.root;
}

NodePtr read_store_file(const std::filesystem::path& file) {
    try {
        return parse_store_text(read_file(file, kMostBytes));
    } catch (const Error& error) {
        throw Unreadable{error.what()};
    }
}

const Node& field(const Node& map, std::string_view key, Kind kind) {
    NodePtr value = map.get(key);
    if (!value)
        throw Unreadable{fmt::format("'{}' is missing", key)};
    if (value->kind != kind)
        throw Unreadable{
            fmt::format("'{}' is {}, not {}", key, kind_name(value->kind), kind_name(kind))};
    return *value;
}

const std::string& text_field(const Node& map, std::string_view key) {
    return field(map, key, Kind::string).text;
}

std::uint64_t count_field(const Node& map, std::string_view key) {
    const std::string& text = field(map, key, Kind::integer).text;
    std::uint64_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number > (1ULL << 62))
        throw Unreadable{fmt::format("'{}' is no count: {}", key, text)};
    return number;
}

double number_field(const Node& map, std::string_view key) {
    NodePtr value = map.get(key);
    bool is_number = value && (value->kind == Kind::integer || value->kind == Kind::number);
    double number = is_number ? double_value(*value) : NAN;
    if (!std::isfinite(number))
        throw Unreadable{fmt::format("'{}' is no number", key)};
    return number;
}

std::string digest_field(const Node& map, std::string_view key) {
    const std::string& text = text_field(map, key);
    if (!is_digest(text))
        throw Unreadable{fmt::format("'{}' is no digest", key)};
    return text;
}

bool is_digest(std::string_view text) {
    return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

bool is_inside(std::string_view path) {
    if (path.empty() || path.size() > 4096 || path.find('\0') != std::string_view::npos)
        return false;
    for (std::size_t begin = 0; begin <= path.size();) {
        std::size_t end = std::min(path.find('/', begin), path.size());
        std::string_view part = path.substr(begin, end - begin);
        if (part.empty() || part == "." || part == "..")
            return false;
        begin = end + 1;
    }
    return true;
}

}  // namespace stillroom
