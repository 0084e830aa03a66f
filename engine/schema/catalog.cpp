#include "engine/schema/catalog.h"

#include "engine/base/codes.h"
#include "engine/base/files.h"
#include "engine/base/refusal.h"
#include "engine/base/text.h"
#include "engine/document/document.h"
#include "engine/document/scalar.h"
#include "engine/schema/defaults.h"
#include "engine/schema/profile.h"
#include "engine/schema/validate.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kEnding = ".schema.json";
constexpr std::string_view kFrameFile = "recipe.frame.schema.json";
constexpr std::string_view kProfileFile = "stage.meta.schema.json";

std::string text_at(const Node& node, std::string_view key) {
    NodePtr value = node.get(key);
    return value && value->is_scalar() ? value->text : std::string();
}

bool true_at(const Node& node, std::string_view key) {
    NodePtr value = node.get(key);
    return value && boolean_value(*value);
}

/// Names of the files NAME.schema.json in a folder.
std::vector<std::string> schema_names(const fs::path& folder) {
    std::vector<std::string> names;
    for (const std::string& file : list_folder(folder))
        if (file.size() > kEnding.size() && file.ends_with(kEnding))
            names.push_back(file.substr(0, file.size() - kEnding.size()));
    return names;
}

std::vector<PortDeclaration> ports_of(const Node& document) {
    std::vector<PortDeclaration> ports;
    NodePtr properties = document.get("properties");
    NodePtr required = document.get("required");
    if (!properties)
        return ports;
    for (const Entry& entry : properties->entries) {
        if (!entry.value->find("x-port"))
            continue;
        PortDeclaration& port = ports.emplace_back();
        port.name = entry.key;
        port.type = text_at(*entry.value, "x-port");
        port.many = true_at(*entry.value, "x-many");
        port.fill = entry.value->get("x-fill");
        port.description = text_at(*entry.value, "description");
        port.where = entry.where;
        port.required =
            required && std::any_of(required->items.begin(),
                                    required->items.end(),
                                    [&](const auto& name) { return name->text == entry.key; });
    }
    return ports;
}

std::vector<OutputDeclaration> outputs_of(const Node& document) {
    std::vector<OutputDeclaration> outputs;
    NodePtr always = document.get("x-outputs");
    NodePtr optional = document.get("x-optional-outputs");
    if (always)
        for (const Entry& entry : always->entries)
            outputs.push_back({entry.key,
                               entry.value->text,
                               optional ? text_at(*optional, entry.key) : std::string()});
    return outputs;
}

/// The document without its ports: what a map of settings must be.
NodePtr without_ports(const NodePtr& document, const StageType& type) {
    std::shared_ptr<Node> out = copy(*document);
    auto is_port = [&](std::string_view name) { return type.port(name) != nullptr; };
    for (Entry& entry : out->entries) {
        if (entry.key == "properties") {
            std::shared_ptr<Node> properties = copy(*entry.value);
            std::erase_if(properties->entries, [&](const Entry& e) { return is_port(e.key); });
            entry.value = properties;
        } else if (entry.key == "required") {
            std::shared_ptr<Node> required = copy(*entry.value);
            std::erase_if(required->items,
                          [&](const NodePtr& name) { return is_port(name->text); });
            entry.value = required;
        }
    }
    return out;
}

}  // namespace

const PortDeclaration* StageType::port(std::string_view port_name) const {
    auto found = std::find_if(ports.begin(), ports.end(), [&](const PortDeclaration& port) {
        return port.name == port_name;
    });
    return found == ports.end() ? nullptr : &*found;
}

struct Catalog::Parts {
    struct Slot {
        std::vector<fs::path> files;
        bool installed = false;  // found in the folder that holds the frame: tested with the engine
        bool loaded = false;
        std::optional<StageType> type;
        Diagnostics problems;
    };

    Sources& sources;
    std::vector<fs::path> folders;
    std::map<std::string, Slot, std::less<>> stages;
    std::map<std::string, fs::path, std::less<>> port_files;
    std::map<std::string, std::optional<PortType>, std::less<>> ports;
    fs::path frame_file, profile_file;

    NodePtr frame_document, engine_defaults;
    Schema frame, profile, setting;
    std::vector<std::string> engine_keys, root_keys;
    bool frame_read = false, profile_read = false;

    Parts(Sources& texts, std::vector<fs::path> where) : sources(texts), folders(std::move(where)) {
        for (const fs::path& folder : folders) {
            bool installed = fs::exists(folder / kFrameFile);
            if (installed && frame_file.empty())
                frame_file = folder / kFrameFile;
            if (profile_file.empty() && fs::exists(folder / kProfileFile))
                profile_file = folder / kProfileFile;
            for (const std::string& name : schema_names(folder / "stages")) {
                Slot& slot = stages[name];
                slot.installed = installed;
                slot.files.push_back(folder / "stages" / (name + std::string(kEnding)));
            }
            for (const std::string& name : schema_names(folder / "ports"))
                port_files.emplace(name, folder / "ports" / (name + std::string(kEnding)));
        }
    }

    NodePtr read(const fs::path& file, Diagnostics& diagnostics) {
        Document document = read_document(sources, file, Limits(), diagnostics);
        if (document.root && !document.root->is_map()) {
            diagnostics.error(code::kStageFile, document.root->where, "a schema file holds a map");
            return nullptr;
        }
        return document.root;
    }

    /// A file that belongs to the engine: without it nothing can be checked.
    NodePtr read_own(const fs::path& file, std::string_view name) {
        Diagnostics diagnostics;
        NodePtr document = file.empty() ? nullptr : read(file, diagnostics);
        if (document)
            return document;
        std::string why = diagnostics.empty() ? "there is none" : diagnostics.all().front().message;
        throw Error({}, fmt::format("cannot read the schema {}: {}", name, why))
            .hint("set STILLROOM_SCHEMA_PATH to the folder that holds it")
            .exit_code(kExitUsage);
    }

    Schema compile_own(const NodePtr& document, std::string_view name) {
        Diagnostics diagnostics;
        Schema schema = compile(document, "", nullptr, diagnostics);
        if (!schema)
            throw Error(
                {},
                fmt::format("the schema {} is wrong: {}", name, diagnostics.all().front().message))
                .exit_code(kExitUsage);
        return schema;
    }

    void need_frame() {
        if (frame_read)
            return;
        frame_document = read_own(frame_file, kFrameFile);
        frame = compile_own(frame_document, kFrameFile);
        frame_read = true;
        if (NodePtr properties = frame_document->get("properties"))
            for (const Entry& entry : properties->entries)
                root_keys.push_back(entry.key);
        if (NodePtr properties = stage_frame()->get("properties"))
            for (const Entry& entry : properties->entries)
                engine_keys.push_back(entry.key);
    }

    /// The part of the frame that says what every stage takes.
    NodePtr stage_frame() {
        NodePtr definitions = frame_document->get("$defs");
        NodePtr stage = definitions ? definitions->get("stage") : nullptr;
        return stage ? stage : make_map();
    }

    void need_profile() {
        if (profile_read)
            return;
        NodePtr document = read_own(profile_file, kProfileFile);
        profile = compile_own(document, kProfileFile);
        setting = compile_own(profile_part(document, "setting"), kProfileFile);
        profile_read = true;
    }

    void load(const std::string& name, Slot& slot, const Catalog& catalog) {
        slot.loaded = true;
        if (slot.files.size() > 1) {
            slot.problems
                .error(code::kStageTwice,
                       {},
                       fmt::format("stage '{}' is declared twice: {} and {}",
                                   name,
                                   slot.files[0].string(),
                                   slot.files[1].string()))
                .with_hint("take one of the two folders out of STILLROOM_SCHEMA_PATH");
            return;
        }
        NodePtr document = read(slot.files.front(), slot.problems);
        if (!document)
            return;
        // Installed files are held to the profile by the tests.
        if (!slot.installed)
            catalog.hold_to_profile(document, name, slot.problems);
        if (!slot.problems.ok())
            return;
        StageType type;
        type.name = name;
        type.plugin = name.substr(0, name.find('.'));
        type.description = text_at(*document, "description");
        type.file = slot.files.front();
        type.document = document;
        type.ports = ports_of(*document);
        type.outputs = outputs_of(*document);
        if (NodePtr version = document->get("x-version"))
            if (std::optional<Decimal> value = decimal_value(*version))
                type.version = static_cast<int>(value->to_int64().value_or(0));
        type.resources = text_at(*document, "x-resources");
        type.shares_process = text_at(*document, "x-process") == "shared";
        type.settings = compile(without_ports(document, type), "", nullptr, slot.problems);
        if (type.settings)
            slot.type = std::move(type);
    }
};

Catalog::Catalog(Sources& sources, std::vector<fs::path> folders)
    : parts_(std::make_unique<Parts>(sources, std::move(folders))) {}

Catalog::~Catalog() = default;

std::vector<std::string> Catalog::names() const {
    std::vector<std::string> names;
    for (const auto& [name, slot] : parts_->stages)
        names.push_back(name);
    return names;
}

const StageType* Catalog::find(std::string_view name, Diagnostics& diagnostics) const {
    auto found = parts_->stages.find(name);
    if (found == parts_->stages.end())
        return nullptr;
    Parts::Slot& slot = found->second;
    if (!slot.loaded)
        parts_->load(found->first, slot, *this);
    // A type that many stages use complains once.
    for (const Diagnostic& problem : slot.problems.all()) {
        const auto& told = diagnostics.all();
        bool known = std::any_of(told.begin(), told.end(), [&](const Diagnostic& other) {
            return other.where == problem.where && other.message == problem.message;
        });
        if (!known)
            diagnostics.add(problem);
    }
    return slot.type ? &*slot.type : nullptr;
}

std::vector<std::string> Catalog::port_types() const {
    std::vector<std::string> names;
    for (const auto& [name, file] : parts_->port_files)
        names.push_back(name);
    return names;
}

const PortType* Catalog::port_type(std::string_view name) const {
    auto file = parts_->port_files.find(name);
    if (file == parts_->port_files.end())
        return nullptr;
    auto [slot, added] = parts_->ports.try_emplace(file->first, std::nullopt);
    if (added) {
        NodePtr document = parts_->read_own(file->second, file->first);
        PortType type;
        type.name = file->first;
        type.description = text_at(*document, "description");
        type.document = document;
        type.loaders = document->get("x-loader");
        if (NodePtr accepts = document->get("x-accepts"))
            for (const NodePtr& item : accepts->items)
                type.accepts.push_back(item->text);
        slot->second = std::move(type);
    }
    return &*slot->second;
}

const Schema& Catalog::frame() const {
    parts_->need_frame();
    return parts_->frame;
}

const NodePtr& Catalog::frame_document() const {
    parts_->need_frame();
    return parts_->frame_document;
}

const std::vector<std::string>& Catalog::engine_keys() const {
    parts_->need_frame();
    return parts_->engine_keys;
}

bool Catalog::is_engine_key(std::string_view key) const {
    const std::vector<std::string>& keys = engine_keys();
    return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool Catalog::is_root_key(std::string_view key) const {
    parts_->need_frame();
    const std::vector<std::string>& keys = parts_->root_keys;
    return key.starts_with("x-") || std::find(keys.begin(), keys.end(), key) != keys.end();
}

NodePtr Catalog::engine_defaults() const {
    parts_->need_frame();
    if (!parts_->engine_defaults) {
        NodePtr stage = inlined(parts_->stage_frame(), parts_->frame_document);
        parts_->engine_defaults = with_defaults(parts_->compile_own(stage, kFrameFile), make_map());
    }
    return parts_->engine_defaults;
}

Schema Catalog::compile_fragment(const NodePtr& fragment,
                                 const std::string& path,
                                 Diagnostics& diagnostics) const {
    parts_->need_profile();
    ValidateOptions options;
    options.path = path;
    std::vector<Mistake> mistakes = validate(parts_->setting, fragment, options);
    for (const Mistake& mistake : mistakes)
        diagnostics.add(diagnostic_of(mistake));
    if (!mistakes.empty())
        return {};
    return compile(fragment, "", nullptr, diagnostics);
}

void Catalog::hold_to_profile(const NodePtr& document,
                              std::string_view name,
                              Diagnostics& diagnostics) const {
    parts_->need_profile();
    ValidateOptions options;
    options.name = fmt::format("stage '{}'", name);
    std::vector<Mistake> mistakes = validate(parts_->profile, document, options);
    for (const Mistake& mistake : mistakes)
        diagnostics.add(diagnostic_of(mistake));
    if (mistakes.empty())
        check_profile_facts(*document, name, diagnostics);
}

std::vector<fs::path> schema_folders() {
    std::vector<fs::path> folders;
    auto add = [&](const fs::path& folder) {
        std::error_code error;
        fs::path real = fs::weakly_canonical(folder, error);
        refuse_no_memory(error);
        if (error || !fs::is_directory(real, error))
            return;
        bool known = std::any_of(folders.begin(), folders.end(), [&](const fs::path& other) {
            return fs::equivalent(other, real, error);
        });
        if (!known)
            folders.push_back(folder);
    };
    for (const std::string& folder : split(environment("STILLROOM_SCHEMA_PATH"), ':'))
        if (!folder.empty())
            add(folder);
    for (const std::string& folder : split(environment("STILLROOM_PLUGIN_PATH"), ':'))
        if (!folder.empty())
            for (const fs::path& beside : {fs::path(folder) / "schemas", fs::path(folder)})
                if (fs::is_directory(beside / "stages"))
                    add(beside);
    for (fs::path at = program_path().parent_path(); at.has_relative_path(); at = at.parent_path())
        for (const fs::path& share : {at / "share/stillroom/schemas", at / "schemas"})
            if (fs::exists(share / kFrameFile)) {
                add(share);
                return folders;
            }
    return folders;
}

}  // namespace stillroom
