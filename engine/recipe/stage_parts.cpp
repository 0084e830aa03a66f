#include "engine/recipe/stage_parts.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

void put(std::shared_ptr<Node>& map, const Node& stage, const Entry& entry) {
    if (!map) {
        map = make_map(stage.where);
        map->origin = stage.origin;
    }
    map->entries.push_back(entry);
}

bool has_scheme(std::string_view text) {
    for (std::string_view scheme : {"hf:", "pypi:", "https:", "http:"})
        if (text.starts_with(scheme))
            return true;
    return false;
}

NodePtr anchor_value(const NodePtr& value, bool output, const Sources& sources) {
    if (value->is_list()) {
        std::shared_ptr<Node> out = copy(*value);
        for (NodePtr& item : out->items)
            item = anchor_value(item, output, sources);
        return out;
    }
    if (value->kind != Kind::string || output || value->is_missing())
        return value;
    std::string text = anchored(*value, sources);
    if (text == value->text)
        return value;
    std::shared_ptr<Node> out = copy(*value);
    out->text = text;
    return out;
}

}  // namespace

StageParts split_stage(const Node& stage, const StageType* type, const Catalog& catalog) {
    std::shared_ptr<Node> engine, ports, settings;
    for (const Entry& entry : stage.entries) {
        if (entry.key.starts_with("x-"))
            continue;
        if (catalog.is_engine_key(entry.key))
            put(engine, stage, entry);
        else if (type && type->port(entry.key))
            put(ports, stage, entry);
        else
            put(settings, stage, entry);
    }
    auto or_empty = [&](std::shared_ptr<Node>& map) -> NodePtr {
        return map ? map : make_map(stage.where);
    };
    return {or_empty(engine), or_empty(ports), or_empty(settings)};
}

std::string stage_title(std::string_view name, std::string_view use) {
    return fmt::format("stage '{}' ({})", name, use);
}

std::string anchored(const Node& value, const Sources& sources) {
    std::string_view text = value.text;
    if (has_scheme(text))
        return value.text;
    std::string scheme;
    if (text.starts_with("file:")) {
        scheme = "file:";
        text.remove_prefix(5);
    }
    fs::path path = text;
    if (path.is_absolute() || text == "-" || text.empty())
        return value.text;
    const Source* source = sources.find(value.begins ? value.begins : value.where.begin);
    if (!source)
        return value.text;
    std::string joined = (source->folder() / path).lexically_normal().string();
    bool needs_slash = scheme.empty() && joined.find('/') == std::string::npos;
    return scheme + (needs_slash ? "./" + joined : joined);
}

NodePtr anchor_paths(const NodePtr& settings, const Node& schema, const Sources& sources) {
    NodePtr properties = schema.get("properties");
    if (!properties || !settings->is_map())
        return settings;
    std::shared_ptr<Node> out;
    for (std::size_t i = 0; i < settings->entries.size(); ++i) {
        const Entry& entry = settings->entries[i];
        NodePtr property = properties->get(entry.key);
        if (!property)
            continue;
        NodePtr mark = property->get("x-path");
        NodePtr value = mark ? anchor_value(entry.value, mark->text == "output", sources)
                             : anchor_paths(entry.value, *property, sources);
        if (value == entry.value)
            continue;
        if (!out)
            out = copy(*settings);
        out->entries[i].value = value;
    }
    return out ? out : settings;
}

void visit_paths(
    const Node& settings,
    const Node& schema,
    const std::string& key,
    const std::function<void(const std::string& key, const Node& value, bool output)>& visit) {
    NodePtr properties = schema.get("properties");
    if (!properties)
        return;
    for (const Entry& entry : settings.entries) {
        NodePtr property = properties->get(entry.key);
        if (!property)
            continue;
        std::string path = key.empty() ? entry.key : key + "." + entry.key;
        if (NodePtr mark = property->get("x-path"))
            visit(path, *entry.value, mark->text == "output");
        else
            visit_paths(*entry.value, *property, path, visit);
    }
}

}  // namespace stillroom
