#include "engine/schema/metaschemas.h"

#include "engine/document/document.h"

#include <algorithm>

namespace stillroom {
namespace {

NodePtr without_places(const Node& node) {
    std::shared_ptr<Node> out = copy(node);
    out->where = {};
    for (NodePtr& item : out->items)
        item = without_places(*item);
    for (Entry& entry : out->entries) {
        entry.where = {};
        entry.value = without_places(*entry.value);
    }
    return out;
}

}  // namespace

NodePtr built_in_schema(std::string_view uri) {
    const std::vector<BuiltInSchema>& all = built_in_schemas();
    auto found = std::find_if(
        all.begin(), all.end(), [&](const BuiltInSchema& each) { return each.uri == uri; });
    if (found == all.end())
        return nullptr;
    Sources sources;
    Diagnostics diagnostics;
    const Source& source = sources.add(std::string(uri), std::string(found->text));
    return without_places(*read_json(source, Limits(), diagnostics).root);
}

}  // namespace stillroom
