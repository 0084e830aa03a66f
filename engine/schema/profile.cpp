#include "engine/schema/profile.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/schema/defaults.h"
#include "engine/schema/schema.h"

#include <fmt/format.h>

namespace stillroom {
namespace {

/// Names in `required`, `oneOf` and `dependentRequired` of one map that are none of its keys.
void check_names(const Node& map, Diagnostics& diagnostics) {
    NodePtr properties = map.get("properties");
    if (!properties || !properties->is_map())
        return;
    std::vector<std::string> known;
    for (const Entry& entry : properties->entries)
        known.push_back(entry.key);
    auto check = [&](const std::string& name, Span where) {
        if (properties->find(name))
            return;
        diagnostics
            .error(code::kStageProfile,
                   where,
                   fmt::format("'{}' is not declared in 'properties'", name))
            .with_hint(did_you_mean(name, known));
    };
    auto check_list = [&](const NodePtr& list) {
        if (list)
            for (const NodePtr& name : list->items)
                check(name->text, name->where);
    };
    check_list(map.get("required"));
    if (NodePtr one_of = map.get("oneOf"))
        for (const NodePtr& branch : one_of->items)
            if (!branch->find("properties"))
                check_list(branch->get("required"));
    if (NodePtr dependent = map.get("dependentRequired"))
        for (const Entry& entry : dependent->entries) {
            check(entry.key, entry.where);
            check_list(entry.value);
        }
}

void check_maps(const Node& node, Diagnostics& diagnostics) {
    if (node.is_map())
        check_names(node, diagnostics);
    for (const Entry& entry : node.entries)
        if (entry.key != "default" && entry.key != "examples" && entry.key != "enum")
            check_maps(*entry.value, diagnostics);
    for (const NodePtr& item : node.items)
        check_maps(*item, diagnostics);
}

}  // namespace

NodePtr inlined(const NodePtr& part, const NodePtr& document) {
    std::shared_ptr<Node> out = copy(*part);
    const Entry* definitions = document->find("$defs");
    if (definitions && !part->find("$defs"))
        out->entries.push_back(*definitions);
    return out;
}

NodePtr profile_part(const NodePtr& document, std::string_view name) {
    NodePtr definitions = document->get("$defs");
    NodePtr part = definitions ? definitions->get(name) : nullptr;
    return inlined(part ? part : make_map(), document);
}

void check_profile_facts(const Node& document, std::string_view name, Diagnostics& diagnostics) {
    NodePtr title = document.get("title");
    if (title && title->text != name)
        diagnostics
            .error(code::kStageProfile,
                   title->where,
                   fmt::format("the title is '{}', but the file is named for '{}'",
                               escape_controls(title->text),
                               name))
            .with_hint(fmt::format("write \"title\": \"{}\"", name));
    check_maps(document, diagnostics);
    Schema schema = compile(copy(document), "", nullptr, diagnostics);
    if (schema)
        check_defaults(schema, diagnostics);
}

}  // namespace stillroom
