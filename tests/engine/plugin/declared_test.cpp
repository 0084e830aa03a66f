#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/document/scalar.h"
#include "engine/plugin/loader.h"
#include "engine/schema/catalog.h"
#include "engine/schema/to_come.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

// Every stage that is declared is made, and what is declared is compared with what there is.

namespace {

using namespace stillroom;
namespace fs = std::filesystem;

/// A value that the schema allows: what it gives as an example, else the least there can be.
NodePtr example(const Node& schema, const Node& document) {
    auto with = [&](const char* key) { return schema.get(key); };
    if (NodePtr reference = with("$ref"))
        return example(
            *document.get("$defs")->get(reference->text.substr(reference->text.rfind('/') + 1)),
            document);
    if (NodePtr examples = with("examples"))
        return examples->items.front();
    if (NodePtr value = with("const"))
        return value;
    for (const char* list : {"enum", "anyOf", "oneOf"})
        if (NodePtr several = with(list); several && !several->items.front()->find("required"))
            return list == std::string_view("enum") ? several->items.front()
                                                    : example(*several->items.front(), document);
    if (with("x-tag"))
        return example(*with("oneOf")->items.front(), document);
    std::string type =
        with("type")->is_list() ? with("type")->items.front()->text : with("type")->text;
    if (type == "array") {
        auto list = make_list();
        list->items.push_back(example(*with("items"), document));
        return list;
    }
    if (type == "object") {
        auto map = make_map();
        if (NodePtr required = with("required"))
            for (const NodePtr& name : required->items)
                if (NodePtr value = with("properties")->get(name->text); !value->find("x-port"))
                    map->entries.push_back({name->text, {}, example(*value, document)});
        if (NodePtr one_of = with("oneOf"))
            for (const NodePtr& one : one_of->items) {
                std::string name = one->get("required")->items.front()->text;
                if (NodePtr value = with("properties")->get(name); !value->find("x-port")) {
                    map->entries.push_back({name, {}, example(*value, document)});
                    break;
                }
            }
        return map;
    }
    auto scalar = make_string(type == "string" ? "text" : type == "boolean" ? "true" : "1");
    if (type != "string") {
        scalar->style = Style::plain;
        scalar->kind = type == "boolean" ? Kind::boolean : Kind::integer;
    }
    return scalar;
}

/// All that stands in the plugin's own sources.
std::string sources_of(const fs::path& folder) {
    std::string text;
    for (const fs::directory_entry& at : fs::recursive_directory_iterator(folder))
        if (at.path().extension() == ".cpp" || at.path().extension() == ".h")
            text += read_file(at.path(), std::size_t{16} << 20);
    return text;
}

struct Found {
    Sources texts;
    fs::path root = environment("STILLROOM_TEST_ROOT");
    std::vector<fs::path> folders = {fs::path(environment("STILLROOM_TEST_TOY")).parent_path(),
                                     root / "schemas"};
    Catalog catalog{texts, folders};
    std::set<std::string, std::less<>> to_come = stages_to_come(folders);
    std::map<std::string, std::shared_ptr<const Plugin>> plugins;

    Found() {
        std::istringstream modules(environment("STILLROOM_TEST_MODULES_BUILT"));
        for (std::string module; std::getline(modules, module, ':');) {
            std::shared_ptr<const Plugin> plugin = Plugin::open(module);
            plugins[plugin->name()] = plugin;
        }
    }
    fs::path sources(const std::string& plugin) const {
        return root / (plugin == "toy" ? "tests/plugins" : "plugins") / plugin;
    }
};

TEST_CASE("every declared stage can be made, and reads its ports") {
    Found found;
    for (const std::string& name : found.catalog.names()) {
        CAPTURE(name);
        Diagnostics diagnostics;
        const StageType* type = found.catalog.find(name, diagnostics);
        REQUIRE(type);
        auto plugin = found.plugins.find(type->plugin);
        if (found.to_come.contains(name))
            continue;
        if (plugin == found.plugins.end()) {
            // Without LibTorch some plugins are not built; their sources are there nonetheless.
            CHECK_MESSAGE(fs::exists(found.sources(type->plugin) / "plugin.cpp"),
                          "a schema without a stage: write it, or add a line to to-come.txt");
            MESSAGE("skipped, not built: " << name);
            continue;
        }
        JsonWriter settings;
        write_json(settings, *example(*type->document, *type->document));
        CHECK_NOTHROW(plugin->second->make_stage(name, settings.text()));
        std::string code = sources_of(found.sources(type->plugin));
        for (const PortDeclaration& port : type->ports)
            CHECK_MESSAGE(code.find('"' + port.name + '"') != std::string::npos,
                          "nobody reads the port " << port.name);
        for (const OutputDeclaration& output : type->outputs)
            CHECK_MESSAGE(code.find('"' + output.name + '"') != std::string::npos,
                          "nobody writes the output " << output.name);
    }
}

TEST_CASE("every stage that is built is declared") {
    Found found;
    std::vector<std::string> declared = found.catalog.names();
    REQUIRE(!found.plugins.empty());
    for (const auto& [name, plugin] : found.plugins)
        for (const std::string& stage : plugin->stages()) {
            CAPTURE(stage);
            CHECK(std::find(declared.begin(), declared.end(), stage) != declared.end());
            CHECK_MESSAGE(!found.to_come.contains(stage),
                          "its code is here: take it out of to-come.txt");
        }
}

TEST_CASE("what is still to come is declared") {
    Found found;
    std::vector<std::string> declared = found.catalog.names();
    for (const std::string& stage : found.to_come) {
        CAPTURE(stage);
        CHECK(std::find(declared.begin(), declared.end(), stage) != declared.end());
    }
}

}  // namespace
