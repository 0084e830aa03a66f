#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/schema/schema.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// An input of a stage.
struct PortDeclaration {
    std::string name;
    std::string type;   ///< the port type, "checkpoint"
    bool many = false;  ///< takes a list
    bool required = false;
    NodePtr fill;  ///< `x-fill`: the stage that fills the port when it is absent; null: none
    std::string description;
    Span where;  ///< in the schema's file
};

struct OutputDeclaration {
    std::string name;
    std::string type;
    std::string only_with;  ///< the setting without which the output is not there; empty: always
};

/// A stage type, as its file declares it.
struct StageType {
    std::string name;    ///< "prune.minitron"
    std::string plugin;  ///< "prune"
    std::string description;
    std::filesystem::path file;
    NodePtr document;  ///< the file
    Schema settings;   ///< of a map with the settings alone: no ports, no engine keys
    std::vector<PortDeclaration> ports;
    std::vector<OutputDeclaration> outputs;
    int version = 0;
    std::string resources;        ///< "compute" or "io"
    bool shares_process = false;  ///< leaves nothing behind in its process

    const PortDeclaration* port(std::string_view port_name) const;
};

/// What may pass along an edge.
struct PortType {
    std::string name;
    std::string description;
    NodePtr document;
    NodePtr loaders;                   ///< `x-loader`, a list of maps; null: takes stages only
    std::vector<std::string> accepts;  ///< other types that such a port takes
};

/// The installed stage types, port types and the frame of a recipe. Listing reads folders only; a
/// file is read and compiled when its name is first asked for. Not for several threads.
class STILLROOM_API Catalog {
public:
    /// Folders that hold stages/, ports/ and recipe.frame.schema.json, nearest first. The texts
    /// become part of `sources`, so that messages and origins can point into them.
    Catalog(Sources& sources, std::vector<std::filesystem::path> folders);
    ~Catalog();
    Catalog(const Catalog&) = delete;
    Catalog& operator=(const Catalog&) = delete;

    std::vector<std::string> names() const;  ///< of all stage types, sorted

    /// Null if there is no such type, or if its file is wrong (then the diagnostics say how). Two
    /// folders with the same name are a mistake that names both files.
    const StageType* find(std::string_view name, Diagnostics& diagnostics) const;

    std::vector<std::string> port_types() const;
    const PortType* port_type(std::string_view name) const;  ///< null: no such type

    const Schema& frame() const;  ///< of a whole recipe, the stages' own keys left open
    const NodePtr& frame_document() const;
    const std::vector<std::string>& engine_keys() const;  ///< use after when ranks device ...
    bool is_engine_key(std::string_view key) const;
    bool is_root_key(std::string_view key) const;  ///< `x-*` too
    NodePtr engine_defaults() const;               ///< a map of every engine key with a default

    /// A schema written in a recipe's `schema` block: held to the profile of settings, compiled.
    /// Empty, with diagnostics, if it is none.
    Schema compile_fragment(const NodePtr& fragment,
                            const std::string& path,
                            Diagnostics& diagnostics) const;

    /// Every way in which a stage's file breaks the profile: form, names, defaults that do not fit.
    void hold_to_profile(const NodePtr& document,
                         std::string_view name,
                         Diagnostics& diagnostics) const;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// STILLROOM_SCHEMA_PATH (colons between), the folders of STILLROOM_PLUGIN_PATH that have stages/
/// or schemas/stages/ beside the modules, the installed schemas or those of the source tree in
/// which the program was built.
STILLROOM_API std::vector<std::filesystem::path> schema_folders();

}  // namespace stillroom
