#include "engine/cli/key_help.h"

#include "engine/cli/origins.h"

#include <fmt/format.h>

namespace stillroom::cli {

KeyHelp help_of_port(const PortDeclaration& port) {
    KeyHelp help;
    help.name = port.name;
    help.type = port.many ? "list of " + port.type : port.type;
    help.description = port.description;
    help.required = port.required;
    help.where = port.where;
    return help;
}

std::optional<KeyHelp> stage_key(const StageType& type,
                                 const std::vector<std::string>& path,
                                 const Catalog& catalog) {
    if (path.empty()) {
        KeyHelp help;
        help.name = type.name;
        help.type = "stage";
        help.description = type.description;
        help.has_keys = true;
        return help;
    }
    if (const PortDeclaration* port = type.port(path.front()); port && path.size() == 1)
        return help_of_port(*port);
    if (catalog.is_engine_key(path.front())) {
        std::vector<std::string> in_frame = {"stages", "any"};
        in_frame.insert(in_frame.end(), path.begin(), path.end());
        return look_up_key(catalog.frame(), in_frame);
    }
    return look_up_key(type.settings, path);
}

std::vector<KeyHelp> stage_keys(const StageType& type, const std::vector<std::string>& path) {
    std::vector<KeyHelp> keys;
    if (path.empty())
        for (const PortDeclaration& port : type.ports)
            keys.push_back(help_of_port(port));
    for (KeyHelp& help : keys_at(type.settings, path))
        keys.push_back(std::move(help));
    return keys;
}

std::string summary_of(const KeyHelp& help) {
    std::string text = help.type;
    if (help.required)
        text += ", required";
    if (help.deprecated)
        text += ", deprecated";
    // An empty map says only that the keys below it have defaults.
    bool tells = help.default_value &&
                 !(help.default_value->is_map() && help.default_value->entries.empty());
    if (tells)
        text += fmt::format(", default {}", one_line(*help.default_value, 40));
    if (!help.unit.empty())
        text += fmt::format(" ({})", help.unit);
    return help.description.empty() ? text : fmt::format("{}: {}", text, help.description);
}

}  // namespace stillroom::cli
