#include "engine/recipe/loaders.h"

#include "engine/base/codes.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/recipe/link.h"
#include "engine/recipe/stage_parts.h"
#include "engine/schema/defaults.h"
#include "engine/schema/validate.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

/// What a loader's `match` is held against: a dataset's folder, which may only name its files in a
/// dataset.json, or the common beginning of its files, counts as its .idx.
std::string matched_name(const std::string& source) {
    std::string_view path = source;
    if (path.starts_with("file:"))
        path.remove_prefix(5);
    std::error_code error;
    if (fs::exists(std::string(path) + ".idx", error))
        return std::string(path) + ".idx";
    if (!fs::is_directory(std::string(path), error))
        return source;
    for (const std::string& name : list_folder(std::string(path)))
        if (name.ends_with(".idx") || name == "dataset.json")
            return std::string(path) + "/dataset.idx";
    return source;
}

const Node* choose_loader(const PortType& type, const std::string& source) {
    if (!type.loaders)
        return nullptr;
    std::string name = matched_name(source);
    for (const NodePtr& loader : type.loaders->items) {
        NodePtr match = loader->get("match");
        if (!match || ::fnmatch(match->text.c_str(), name.c_str(), 0) == 0)
            return loader.get();
    }
    return nullptr;
}

/// Settings held to the schema, defaults filled in. Mistakes are shown at the text that asked for
/// the stage.
bool complete_settings(CheckedStage& stage, Span where, Diagnostics& diagnostics) {
    ValidateOptions options;
    options.typing = Typing::recipe;
    options.name = stage_title(stage.name, stage.use);
    options.key = where;
    stage.settings = with_defaults(stage.type->settings, stage.settings);
    std::vector<Mistake> mistakes = validate(stage.type->settings, stage.settings, options);
    for (const Mistake& mistake : mistakes) {
        Diagnostic diagnostic = diagnostic_of(mistake);
        if (!diagnostic.where)
            diagnostic.where = where;
        diagnostics.add(diagnostic);
    }
    if (!mistakes.empty())
        return false;
    stage.settings = typed(stage.type->settings, stage.settings);
    return true;
}

CheckedStage inserted_stage(const std::string& name,
                            const StageType& type,
                            Span where,
                            const Catalog& catalog) {
    CheckedStage stage;
    stage.name = name;
    stage.use = type.name;
    stage.type = &type;
    stage.inserted = true;
    stage.where = where;
    stage.engine = catalog.engine_defaults();
    return stage;
}

/// A filler does part of its consumer's work: with as many ranks, on the same device, and so on.
NodePtr engine_of_filler(const Node& consumer, const Node& defaults) {
    std::shared_ptr<Node> out = copy(defaults);
    for (Entry& entry : out->entries)
        for (std::string_view key : {"ranks", "device", "retry", "env"})
            if (NodePtr value = entry.key == key ? consumer.get(key) : nullptr)
                entry.value = value;
    return out;
}

}  // namespace

std::string output_of_type(const StageType& stage, const std::string& type) {
    for (const auto& output : stage.outputs)
        if (output.type == type)
            return output.name;
    return "";
}

std::optional<CheckedStage> make_loader(const LoadRequest& request,
                                        const Catalog& catalog,
                                        const Sources& sources,
                                        Diagnostics& diagnostics) {
    const Node& text = *request.source;
    std::string source = anchored(text, sources);
    const PortType* port_type = catalog.port_type(request.type);
    const Node* loader = port_type ? choose_loader(*port_type, source) : nullptr;
    NodePtr use = loader ? loader->get("use") : nullptr;
    const StageType* type = use ? catalog.find(use->text, diagnostics) : nullptr;
    if (!type) {
        diagnostics
            .error(code::kNoLoader,
                   text.where,
                   fmt::format("nothing loads {} from outside, port '{}' takes a stage",
                               one_of_type(request.type),
                               request.port))
            .with_hint(fmt::format("name a stage that makes {}", one_of_type(request.type)));
        return std::nullopt;
    }
    CheckedStage stage = inserted_stage(request.name, *type, text.where, catalog);
    std::shared_ptr<Node> value = copy(text);
    value->text = source;
    std::shared_ptr<Node> settings = make_map(text.where);
    settings->entries.push_back({loader->get("setting")->text, text.where, value, false, {}});
    stage.settings = settings;
    if (!complete_settings(stage, text.where, diagnostics))
        return std::nullopt;
    NodePtr from = loader->get("from");
    if (!from)
        return stage;
    for (const Entry& entry : from->entries) {
        auto sibling = request.siblings.end();
        for (const NodePtr& name : entry.value->items) {
            sibling = std::find_if(
                request.siblings.begin(), request.siblings.end(), [&](const Input& input) {
                    return input.port == name->text && !input.feeds.empty();
                });
            if (sibling != request.siblings.end())
                break;
        }
        if (sibling == request.siblings.end()) {
            std::vector<std::string> names;
            for (const NodePtr& name : entry.value->items)
                names.push_back("'" + name->text + "'");
            diagnostics
                .error(code::kNoLoader,
                       text.where,
                       fmt::format("loading '{}' needs a {}, and there is no port to take one from",
                                   source,
                                   entry.key))
                .with_hint(request.siblings.empty()
                               ? fmt::format("name one that is made already, or write a {} stage",
                                             type->name)
                               : fmt::format("give the stage {}, or write a {} stage",
                                             join(names, "or"),
                                             type->name));
            return std::nullopt;
        }
        const auto* port = type->port(entry.key);
        stage.inputs.push_back({entry.key, port ? port->type : entry.key, sibling->feeds});
    }
    return stage;
}

std::optional<CheckedStage> make_filler(const CheckedStage& consumer,
                                        const std::string& port,
                                        const Node& fill,
                                        const Catalog& catalog,
                                        Diagnostics& diagnostics) {
    const StageType* type = catalog.find(fill.get("use")->text, diagnostics);
    if (!type)
        return std::nullopt;
    CheckedStage stage =
        inserted_stage(consumer.name + "." + port + "~load", *type, consumer.where, catalog);
    stage.engine = engine_of_filler(*consumer.engine, *stage.engine);
    std::shared_ptr<Node> settings = make_map(consumer.where);
    for (const NodePtr& taken : fill.get("take")->items) {
        if (const auto* declared = type->port(taken->text)) {
            for (const Input& input : consumer.inputs)
                if (input.port == taken->text)
                    stage.inputs.push_back({input.port, declared->type, input.feeds});
        } else if (const Entry* entry = consumer.settings->find(taken->text)) {
            settings->entries.push_back(*entry);
        }
    }
    stage.settings = settings;
    if (!complete_settings(stage, consumer.where, diagnostics))
        return std::nullopt;
    return stage;
}

}  // namespace stillroom
