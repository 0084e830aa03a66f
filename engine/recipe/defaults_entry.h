#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"

#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// One line of a defaults list, and where its file stands: what it names is worked out from both.
struct DefaultsEntry {
    enum class Form { self, file, group };

    Form form = Form::file;
    std::string path;    ///< the group or the file as written, "/" in front if absolute
    std::string remote;  ///< the address of a remote file; then `path` says nothing
    std::optional<std::string> package;  ///< after '@'
    std::vector<std::string> options;    ///< one, or those of a list
    bool is_list = false;
    bool is_null = false;  ///< an open slot
    bool optional = false;
    bool overrides = false;  ///< `override group: option`
    bool appended = false;   ///< by +group=option
    Span where;

    std::string parent_group;           ///< the group of the file that holds the entry
    std::string parent_package;         ///< where that file lands
    std::optional<std::string> header;  ///< `# @package` of the file it names

    std::string group_path() const;  ///< of the group, or of the folder of the file
    std::string file_name(std::string_view option) const;  ///< "db/mysql", for the search path
    std::string option() const { return options.empty() ? "" : options.front(); }

    /// Where the content lands; "" is the root.
    std::string final_package(bool with_header = true) const;

    /// What the command line calls it: "db", or "db@dst" where it lands elsewhere.
    std::string override_key() const;
};

/// Refuses what cannot be a package (true).
bool refuse_package(const std::string& package, Span where, Diagnostics& diagnostics);

/// The entries of a file's `defaults`, `_self_` added at the end where it is absent.
std::vector<DefaultsEntry> read_entries(const Node& defaults, Diagnostics& diagnostics);

}  // namespace stillroom
