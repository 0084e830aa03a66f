#include "engine/document/canonical.h"
#include "engine/document/document.h"
#include "engine/plan/key.h"
#include "engine/schema/catalog.h"

#include <algorithm>
#include <array>
#include <map>

namespace stillroom {
namespace {

constexpr std::array kOrder = {"use",
                               "version",
                               "settings",
                               "outside",
                               "inputs",
                               "reads",
                               "env",
                               "device",
                               "plugin",
                               "format",
                               "nonce"};

/// Leaves by dotted path; a list is one leaf, so that a change is told of it as a whole. Below
/// `outside` the keys are paths already.
void flatten(const Node& value, const std::string& path, std::map<std::string, std::string>& out) {
    if (!value.is_map()) {
        out[path] = canonical_json(value);
        return;
    }
    if (value.entries.empty() && path.find('.') != std::string::npos)
        out[path] = "{}";
    bool names_files = path == "outside" || path == "reads";
    for (const Entry& entry : value.entries)
        flatten(
            *entry.value, names_files ? path + "." + entry.key : path_below(path, entry.key), out);
}

std::map<std::string, std::string> leaves_of(const std::string& record) {
    Sources sources;
    Limits limits;
    limits.file_bytes = limits.nodes = std::size_t{64} << 20;
    limits.depth = 200;
    Diagnostics ignored;
    std::map<std::string, std::string> out;
    NodePtr root = read_json(sources.add("record", record), limits, ignored).root;
    if (root)
        flatten(*root, "", out);
    return out;
}

std::size_t rank_of(const std::string& field) {
    std::string_view first = std::string_view(field).substr(0, field.find('.'));
    return static_cast<std::size_t>(std::find(kOrder.begin(), kOrder.end(), first) -
                                    kOrder.begin());
}

/// The keys of a path that path_below made.
std::vector<std::string> keys_of(std::string_view path) {
    std::vector<std::string> keys(1);
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] == '.')
            keys.emplace_back();
        else if (path[i] == '\\' && i + 1 < path.size())
            keys.back() += path[++i];
        else
            keys.back() += path[i];
    }
    return keys;
}

NodePtr step(const Node& node, const std::string& key) {
    if (!node.is_list())
        return node.get(key);
    bool is_index =
        !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == std::string::npos;
    std::size_t index = is_index ? std::stoul(key) : node.items.size();
    return index < node.items.size() ? node.items[index] : nullptr;
}

/// Where somebody wrote the value: of one that came through `${...}` the place that it came from.
Span place_of(const Node& value) {
    if (value.origin == Origin::schema_default)
        return {};
    if (value.written && value.begins)
        return {value.begins, value.begins};
    return value.where;
}

Span setting_place(const Node& settings, const std::vector<std::string>& keys, Span otherwise) {
    Span place = otherwise;
    const Node* at = &settings;
    for (const std::string& key : keys) {
        NodePtr next = step(*at, key);
        Span here = next ? place_of(*next) : Span{};
        if (!here)
            return place;
        place = here;
        at = next.get();
    }
    return place;
}

}  // namespace

std::vector<FieldChange> compare_records(const std::string& before, const std::string& after) {
    std::map<std::string, std::string> old = leaves_of(before);
    std::map<std::string, std::string> now = leaves_of(after);
    std::vector<FieldChange> changes;
    for (const auto& [field, text] : old) {
        auto found = now.find(field);
        if (found == now.end())
            changes.push_back({field, text, ""});
        else if (found->second != text)
            changes.push_back({field, text, found->second});
    }
    for (const auto& [field, text] : now)
        if (!old.contains(field))
            changes.push_back({field, "", text});
    std::stable_sort(
        changes.begin(), changes.end(), [](const FieldChange& a, const FieldChange& b) {
            return std::pair(rank_of(a.field), a.field) < std::pair(rank_of(b.field), b.field);
        });
    return changes;
}

Span field_place(const CheckedStage& stage, std::string_view field) {
    std::vector<std::string> keys = keys_of(field);
    std::string part = keys.front();
    keys.erase(keys.begin());
    if (part == "outside")  // below it stands a whole path
        keys = keys_of(field.substr(field.find('.') + 1));
    if (part == "settings" || part == "outside")
        return setting_place(*stage.settings, keys, stage.where);
    if (part == "inputs" && !keys.empty()) {
        for (const Input& input : stage.inputs)
            if (input.port == keys.front() && !input.feeds.empty() && input.feeds.front().where)
                return input.feeds.front().where;
        return stage.where;
    }
    if (part == "version") {
        NodePtr version = stage.type->document ? stage.type->document->get("x-version") : nullptr;
        return version ? version->where : Span{};
    }
    if ((part == "env" || part == "device") && stage.engine) {
        keys.insert(keys.begin(), part);
        return setting_place(*stage.engine, keys, stage.where);
    }
    return stage.where;
}

}  // namespace stillroom
