#include "engine/recipe/frame.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/document/document.h"
#include "engine/recipe/search_path.h"
#include "engine/recipe/settings.h"
#include "engine/schema/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kCode[] = {
    "plugin", "plugins", "hooks", "notify_cmd", "command", "shell"};

/// Keys that other tools would run or obey. They are known here, to be refused.
bool refuse_by_policy(const Entry& entry, Diagnostics& diagnostics) {
    if (std::find(std::begin(kCode), std::end(kCode), entry.key) != std::end(kCode)) {
        diagnostics
            .error(code::kUntrusted,
                   entry.where,
                   fmt::format("a recipe runs no code, '{}' is refused", entry.key))
            .at_key(entry.key)
            .with_hint(
                "plugins come from the installed folder, STILLROOM_PLUGIN_PATH or --trust PATH")
            .exits(kExitPolicy);
        return true;
    }
    if (entry.key != "launch")
        return false;
    const Entry* command = entry.value->find("command");
    if (command) {
        diagnostics
            .error(code::kUntrusted,
                   command->where,
                   "a recipe starts no command, 'launch.command' is refused")
            .at_key("launch.command")
            .with_hint(
                "it counts from the installed library and the site's or user's configuration")
            .exits(kExitPolicy);
        return true;
    }
    diagnostics
        .error(
            code::kRootKey, entry.where, "a recipe names no machine, 'launch' cannot stand in it")
        .at_key("launch")
        .with_hint("choose it on the command line: launch=slurm");
    return true;
}

/// Of a stage without `use` the key that was meant to be it: then that is the mistake.
const Entry* misspelt_use(const Mistake& mistake) {
    if (mistake.code != code::kMissingKey || !mistake.path.starts_with("stages.") ||
        !mistake.value || !mistake.value->is_map() || mistake.value->find("use"))
        return nullptr;
    for (const Entry& entry : mistake.value->entries)
        if (edit_distance(entry.key, "use", 1) == 1)
            return &entry;
    return nullptr;
}

}  // namespace

void check_frame(const Recipe& recipe,
                 const NodePtr& root,
                 const Catalog& catalog,
                 Diagnostics& diagnostics) {
    std::set<std::string, std::less<>> packages;
    for (const Choice& choice : recipe.defaults)
        if (!choice.package.empty())
            packages.insert(choice.package.substr(0, choice.package.find('.')));
    std::shared_ptr<Node> framed = copy(*root);
    std::erase_if(framed->entries, [&](const Entry& entry) {
        if (catalog.is_root_key(entry.key))
            return false;
        return refuse_by_policy(entry, diagnostics) || packages.count(entry.key) != 0;
    });
    ValidateOptions options;
    options.typing = Typing::recipe;
    options.accept_missing = true;
    options.accept_references = true;
    options.name = "the recipe";
    for (const Mistake& mistake : validate(catalog.frame(), framed, options)) {
        Diagnostic diagnostic = diagnostic_of(mistake);
        if (const Entry* misspelt = misspelt_use(mistake)) {
            diagnostic.code = code::kUnknownKey;
            diagnostic.where = misspelt->where;
            diagnostic.message =
                fmt::format("unknown key '{}' in '{}'", misspelt->key, mistake.path);
            diagnostic.hint = "did you mean 'use'?";
        }
        bool at_root = mistake.path.find('.') == std::string::npos;
        if (recipe.lacks_files && mistake.code == code::kMissingKey && at_root)
            continue;  // it may stand in the file that is wrong
        if (mistake.code == code::kUnknownKey && at_root && mistake.hint.empty())
            diagnostic.with_hint(
                "a recipe's keys are recipe, about, defaults, params, schema, inputs, stages, "
                "outputs, sweep and x-*; other names need a group of that name in 'defaults'");
        diagnostics.add(std::move(diagnostic));
    }
}

void check_params(const Node& root, const Catalog& catalog, Diagnostics& diagnostics) {
    NodePtr block = root.get("schema");
    NodePtr params = root.get("params");
    if (!block || !block->is_map())
        return;
    for (const Entry& entry : block->entries) {
        if (!params || !params->find(entry.key)) {
            std::vector<std::string> names;
            if (params)
                for (const Entry& param : params->entries)
                    names.push_back(param.key);
            diagnostics
                .error(code::kSchemaParam,
                       entry.where,
                       fmt::format("'schema' describes '{}', which is no param", entry.key))
                .at_key("schema." + entry.key)
                .with_hint(did_you_mean(entry.key, names));
            continue;
        }
        std::size_t before = diagnostics.errors();
        Schema schema = catalog.compile_fragment(entry.value, "schema." + entry.key, diagnostics);
        if (diagnostics.errors() != before || !schema)
            continue;
        const Entry* param = params->find(entry.key);
        ValidateOptions options;
        options.typing = Typing::recipe;
        options.accept_missing = true;
        options.accept_references = true;
        options.path = "params." + entry.key;
        options.key = param->where;
        for (const Mistake& mistake : validate(schema, param->value, options)) {
            Diagnostic diagnostic = diagnostic_of(mistake);
            constexpr std::string_view kNameless =
                "the value ";  // the fragment does not know its name
            if (diagnostic.message.starts_with(kNameless))
                diagnostic.message.replace(
                    0, kNameless.size(), fmt::format("'params.{}' ", entry.key));
            diagnostic.note(entry.where, "its schema stands here");
            diagnostics.add(std::move(diagnostic));
        }
    }
}

void check_launch(const NodePtr& launch, Sources& sources, Diagnostics& diagnostics) {
    fs::path folder = data_folder() / "schemas";
    Document document = read_document(sources, folder / "launch.schema.json", {}, diagnostics);
    if (!document.root)
        return;
    Schema schema = compile(document.root, "launch.schema.json", nullptr, diagnostics);
    ValidateOptions options;
    options.typing = Typing::recipe;
    options.path = "launch";
    options.name = "the group 'launch'";
    for (const Mistake& mistake : validate(schema, launch, options))
        diagnostics.add(diagnostic_of(mistake));
}

}  // namespace stillroom
