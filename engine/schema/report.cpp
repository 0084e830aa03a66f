#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/schema/evaluator.h"
#include "engine/schema/wording.h"

#include <fmt/format.h>

#include <algorithm>

// Where mistakes are: paths, spans and the names of maps.

namespace stillroom {
namespace {

std::vector<const Step*> from_root(const Step& at) {
    std::vector<const Step*> steps;
    for (const Step* step = &at; step->parent; step = step->parent)
        steps.push_back(step);
    std::reverse(steps.begin(), steps.end());
    return steps;
}

}  // namespace

Mistake& Evaluator::report(
    int code, Span where, const Node& node, const Step& at, std::string message) {
    Mistake& mistake = mistakes_->emplace_back();
    mistake.code = code;
    mistake.path = path_of(at);
    mistake.pointer = pointer_of(at);
    mistake.where = where;
    mistake.message = std::move(message);
    mistake.value = &node;
    return mistake;
}

void Evaluator::unknown_key(const SubSchema& schema,
                            const Entry& entry,
                            const Node& map,
                            const Step& at) {
    Step step{&at, &entry, 0};
    std::vector<std::string> names = known_keys(schema);
    std::erase_if(names, [&](const std::string& name) { return map.find(name) != nullptr; });
    std::string message =
        fmt::format("unknown key '{}'{}", escape_controls(shorten(entry.key, 60)), map_name(at));
    report(code::kUnknownKey, entry.where, *entry.value, step, std::move(message)).hint =
        did_you_mean(entry.key, names);
}

Span Evaluator::key_of(const Step& at, const Node& node) const {
    if (at.entry)
        return at.entry->where;
    if (!at.parent && options_.key)
        return options_.key;
    if (!node.entries.empty())
        return node.entries.front().where;
    return node.where;
}

std::string Evaluator::map_name(const Step& at) const {
    std::vector<const Step*> steps = from_root(at);
    if (steps.empty())
        return options_.name.empty() ? "" : " in " + options_.name;
    return fmt::format(" in '{}'", escape_controls(shorten(path_of(at), 80)));
}

std::string Evaluator::path_of(const Step& at) const {
    std::string out = options_.path;
    for (const Step* step : from_root(at)) {
        if (!step->entry)
            out += fmt::format("[{}]", step->index);
        else
            out += (out.empty() ? "" : ".") + step->entry->key;
    }
    return out;
}

std::string Evaluator::pointer_of(const Step& at) const {
    std::string out;
    for (const Step* step : from_root(at)) {
        out += '/';
        if (!step->entry) {
            out += std::to_string(step->index);
            continue;
        }
        for (char c : step->entry->key)
            out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    }
    return out;
}

}  // namespace stillroom
