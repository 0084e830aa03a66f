#include "engine/plugin/registry.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <fmt/format.h>

namespace stillroom {

void Registry::add_maker(std::string_view stage, Maker maker) {
    if (!stage.starts_with(plugin_ + ".") || stage.size() == plugin_.size() + 1)
        throw Error({},
                    fmt::format("plugin '{}' may not add the stage '{}'",
                                escape_controls(plugin_),
                                escape_controls(stage)))
            .hint(fmt::format("its stages are called '{}.NAME'", escape_controls(plugin_)))
            .exit_code(kExitPolicy);
    if (!makers_.emplace(stage, maker).second)
        throw Error({}, fmt::format("the stage '{}' is added twice", escape_controls(stage)))
            .exit_code(kExitPolicy);
}

std::vector<std::string> Registry::stages() const {
    std::vector<std::string> names;
    for (const auto& [name, maker] : makers_)
        names.push_back(name);
    return names;
}

std::unique_ptr<Stage> Registry::make(std::string_view stage, const Json& settings) const {
    auto found = makers_.find(stage);
    if (found != makers_.end())
        return found->second(settings);
    std::vector<std::string> known = stages();
    std::string near = did_you_mean(stage, known);
    throw Error(
        {},
        fmt::format(
            "plugin '{}' has no stage '{}'", escape_controls(plugin_), escape_controls(stage)))
        .hint(!near.empty()   ? near
              : known.empty() ? "it has none at all"
                              : fmt::format("it has {}", join(known)))
        .exit_code(kExitPolicy);
}

}  // namespace stillroom
