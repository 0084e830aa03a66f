#include "engine/cli/key_facts.h"

#include "engine/base/diagnostic.h"
#include "engine/cli/key_help.h"
#include "engine/cli/origins.h"
#include "engine/recipe/resolve.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::cli {
namespace {

using Path = std::vector<std::string>;

NodePtr value_at(const NodePtr& root, const Path& path) {
    return root ? look_up(root, path) : nullptr;
}

/// A stage's key: the type of the stage, and the path inside it.
struct InStage {
    const StageType* type = nullptr;
    Path path;
};

/// `stages.NAME...`, also inside a stage that is a recipe: `stages.first.stages.student...`.
InStage inside_stage(const Path& path, const NodePtr& composed, const Catalog& catalog) {
    for (std::size_t i = 0; i + 1 < path.size() && path[i] == "stages"; i += 2) {
        auto end = path.begin() + static_cast<std::ptrdiff_t>(i) + 2;
        NodePtr value = value_at(composed, Path(path.begin(), end));
        NodePtr use = value ? value->get("use") : nullptr;
        Diagnostics ignored;
        const StageType* type =
            use && use->is_scalar() ? catalog.find(use->text, ignored) : nullptr;
        if (type)
            return {type, Path(end, path.end())};
    }
    return {};
}

/// The schema that the recipe itself gives a param; empty if there is none.
Schema param_schema(const Path& path, const NodePtr& composed, const Catalog& catalog) {
    bool is_param = path.size() > 1 && path[0] == "params" && composed;
    NodePtr schemas = is_param ? composed->get("schema") : nullptr;
    NodePtr fragment = schemas ? schemas->get(path[1]) : nullptr;
    Diagnostics ignored;
    return fragment ? catalog.compile_fragment(fragment, "schema." + path[1], ignored) : Schema();
}

void add_name(std::vector<std::string>& names, const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end())
        names.push_back(name);
}

}  // namespace

std::optional<KeyHelp> help_at(const Path& path, const NodePtr& composed, const Catalog& catalog) {
    if (InStage inside = inside_stage(path, composed, catalog); inside.type)
        return stage_key(*inside.type, inside.path, catalog);
    if (Schema schema = param_schema(path, composed, catalog))
        return look_up_key(schema, Path(path.begin() + 2, path.end()));
    return look_up_key(catalog.frame(), path);
}

std::vector<std::string> names_below(const Path& path,
                                     const NodePtr& composed,
                                     const Catalog& catalog) {
    std::vector<std::string> names;
    if (NodePtr value = path.empty() ? composed : value_at(composed, path)) {
        for (const Entry& entry : value->entries)
            add_name(names, entry.key);
        for (std::size_t i = 0; i < value->items.size(); ++i)
            add_name(names, fmt::format("{}", i));
    }
    std::vector<KeyHelp> declared;
    InStage inside = inside_stage(path, composed, catalog);
    if (inside.type)
        declared = stage_keys(*inside.type, inside.path);
    else if (Schema schema = param_schema(path, composed, catalog))
        declared = keys_at(schema, Path(path.begin() + 2, path.end()));
    else
        declared = keys_at(catalog.frame(), path);
    for (const KeyHelp& help : declared)
        add_name(names, help.name);
    if (inside.type && inside.path.empty())
        for (const std::string& name : catalog.engine_keys())
            add_name(names, name);
    return names;
}

KeyFacts facts_of(const Path& path,
                  const NodePtr& composed,
                  const NodePtr& checked,
                  const Catalog& catalog) {
    KeyFacts facts;
    facts.value = value_at(checked, path);
    if (!facts.value)
        facts.value = value_at(composed, path);
    bool is_in_stage = path.size() > 1 && path[0] == "stages";
    if (facts.value || !is_in_stage || value_at(composed, {path[0], path[1]}))
        facts.help = help_at(path, composed, catalog);  // the frame knows any name below `stages`
    if (!facts.value || facts.value->is_map())
        facts.keys = names_below(path, composed, catalog);
    Path parent = path;
    while (!parent.empty() && facts.neighbours.empty()) {
        parent.pop_back();
        if (!value_at(checked, parent) && !value_at(composed, parent))
            continue;  // only the frame's keys stand below a stage that is not there
        for (const std::string& key : names_below(parent, composed, catalog))
            facts.neighbours.push_back(parent.empty() ? key : join_path(parent) + "." + key);
    }
    return facts;
}

}  // namespace stillroom::cli
