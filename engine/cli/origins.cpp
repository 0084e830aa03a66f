#include "engine/cli/origins.h"

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/recipe/resolve.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::cli {
namespace {

bool is_leaf(const Node& value) {
    return !value.is_map() || value.entries.empty();
}

void visit_leaves(const std::string& path,
                  const Node& value,
                  const std::function<void(const std::string&, const Node&)>& visit) {
    if (is_leaf(value)) {
        visit(path, value);
        return;
    }
    for (const Entry& entry : value.entries)
        visit_leaves(path.empty() ? entry.key : path + "." + entry.key, *entry.value, visit);
}

/// `# recipe.yaml:8:11, before that base.yaml:3:9`
std::string places_comment(const Node& value, const Sources& sources) {
    std::vector<SetBy> origins = origins_of(value, sources);
    std::string out = "# " + escape_controls(origins.back().place);
    if (origins.size() > 1)
        out += ", over";
    for (auto before = origins.rbegin() + 1; before != origins.rend(); ++before)
        out += fmt::format("{} {} of {}",
                           before == origins.rbegin() + 1 ? "" : ",",
                           one_line(*before->node, 40),
                           escape_controls(before->place));
    return out;
}

void append_indented(std::string& out, std::string_view lines, int depth) {
    std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
    for (const std::string& line : split(lines, '\n'))
        out += line.empty() ? "\n" : indent + line + "\n";
}

/// An entry alone, as to_yaml writes it, without the line end.
std::string entry_yaml(const Entry& entry, const NodePtr& value) {
    std::shared_ptr<Node> alone = make_map();
    alone->entries.push_back({entry.key, {}, value, entry.quoted});
    std::string text = to_yaml(*alone);
    while (text.ends_with("\n"))
        text.pop_back();
    return text;
}

void append_entries(std::string& out, const Node& map, const Sources& sources, int depth) {
    for (const Entry& entry : map.entries) {
        if (is_leaf(*entry.value)) {
            std::string text = entry_yaml(entry, entry.value);
            std::string comment = places_comment(*entry.value, sources);
            bool fits = text.find('\n') == std::string::npos;
            append_indented(out, fits ? text + "  " + comment : comment + "\n" + text, depth);
            continue;
        }
        std::string key = entry_yaml(entry, make_map());  // "key: {}"
        append_indented(out, key.substr(0, key.rfind(':') + 1), depth);
        append_entries(out, *entry.value, sources, depth + 1);
    }
}

}  // namespace

std::vector<SetBy> origins_of(const Node& value, const Sources& sources) {
    std::vector<SetBy> chain;
    const Node* written = value.written ? value.written.get() : &value;
    for (const Node* node = written; node; node = node->replaced.get()) {
        std::string place = sources.position(node->where.begin).text();
        if (place.empty())
            place = node->origin == Origin::schema_default ? "the schema's default" : "the engine";
        chain.push_back({node, place});
    }
    std::reverse(chain.begin(), chain.end());
    return chain;
}

std::vector<SetBy> origins_through_references(const std::vector<std::string>& path,
                                              const Node& value,
                                              const NodePtr& composed,
                                              const Sources& sources) {
    constexpr std::size_t kMostSteps = 16;
    std::vector<SetBy> chain = origins_of(value, sources);
    std::vector<std::string> at = path;
    const Node* last = chain.back().node;
    for (std::size_t step = 0; step < kMostSteps; ++step) {
        std::optional<std::vector<std::string>> target = reference_target(*last, at);
        NodePtr found = target ? look_up(composed, *target) : nullptr;
        if (!found)
            break;
        std::vector<SetBy> before = origins_of(*found, sources);
        for (SetBy& origin : before)
            origin.key = join_path(*target);
        last = before.back().node;
        at = *target;
        chain.insert(chain.begin(), before.begin(), before.end());
    }
    return chain;
}

std::string join_path(const std::vector<std::string>& path) {
    std::string out;
    for (const std::string& part : path)
        out += (out.empty() ? "" : ".") + part;
    return out;
}

void write_origins(JsonWriter& out, const std::vector<SetBy>& origins, const Sources& sources) {
    out.begin_array();
    for (const SetBy& origin : origins) {
        Position at = sources.position(origin.node->where.begin);
        out.begin_object();
        out.key("file"), at.file.empty() ? out.null() : out.string(at.file);
        out.key("line"), at.line == 0 ? out.null() : out.integer(at.line);
        out.key("column"), at.column == 0 ? out.null() : out.integer(at.column);
        out.key("value"), write_json(out, *origin.node);
        if (!origin.key.empty())
            out.key("key"), out.string(origin.key);
        out.end_object();
    }
    out.end_array();
}

void for_each_leaf(const Node& root,
                   const std::function<void(const std::string&, const Node&)>& visit) {
    for (const Entry& entry : root.entries)
        visit_leaves(entry.key, *entry.value, visit);
}

std::string yaml_with_origins(const Node& root, const Sources& sources) {
    if (is_leaf(root))
        return to_yaml(root);
    std::string out;
    append_entries(out, root, sources, 0);
    return out;
}

std::vector<std::string> split_path(std::string_view path) {
    std::vector<std::string> parts;
    std::string part;
    for (char c : path) {
        if (c == '.' || c == '[') {
            if (!part.empty() || c == '.')
                parts.push_back(std::move(part));
            part.clear();
        } else if (c != ']') {
            part += c;
        }
    }
    parts.push_back(std::move(part));
    std::erase(parts, "");
    return parts;
}

std::string one_line(const Node& value, std::size_t limit) {
    std::string text = to_yaml(value);
    while (text.ends_with("\n"))
        text.pop_back();
    bool on_one_line = text.find('\n') == std::string::npos;
    bool is_flow = text.starts_with("{") || text.starts_with("[");
    if (on_one_line && (value.is_scalar() || is_flow))
        return shorten(text, limit);
    if (value.is_scalar())
        return describe_value(value, limit);
    JsonWriter out;
    write_json(out, value);
    return shorten(out.take(), limit);
}

}  // namespace stillroom::cli
