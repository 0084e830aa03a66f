#include "engine/recipe/defaults_entry.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/recipe/remote.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

std::string dotted(std::string_view path) {
    std::string out(path);
    std::replace(out.begin(), out.end(), '/', '.');
    return out;
}

std::string below(const std::string& folder, const std::string& name) {
    if (folder.empty())
        return name;
    return name.empty() ? folder : folder + "/" + name;
}

/// "a/b/file" -> "a/b"; "file" -> "".
std::string folder_of(std::string_view path) {
    std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? "" : std::string(path.substr(0, slash));
}

std::string without_slash(const std::string& path) {
    return path.starts_with('/') ? path.substr(1) : path;
}

struct Words {
    bool optional = false;
    bool overrides = false;
    std::string rest;
};

/// "optional override db@dst" -> the words in front and what remains.
Words take_words(std::string_view text) {
    Words words;
    text = trim(text);
    for (;;) {
        if (text.starts_with("optional ")) {
            words.optional = true;
            text = trim(text.substr(9));
        } else if (text.starts_with("override ")) {
            words.overrides = true;
            text = trim(text.substr(9));
        } else {
            words.rest = text;
            return words;
        }
    }
}

bool refuse_path(const std::string& path, Span where, Diagnostics& diagnostics) {
    if (path.find('\\') != std::string::npos) {
        diagnostics.error(code::kDefaultsForm, where, fmt::format("'{}' holds a backslash", path))
            .with_hint("write '/' between groups");
        return true;
    }
    std::vector<std::string> parts = split(path, '/');
    if (std::find(parts.begin(), parts.end(), "..") == parts.end())
        return false;
    diagnostics.error(code::kOutside, where, fmt::format("'{}' leaves its folder", path))
        .with_hint(
            "files of a recipe lie in its folder or on the search path; '/group' starts at the "
            "search path")
        .exits(kExitPolicy);
    return true;
}

/// Splits "group@package"; false (with a mistake) for a package that cannot be.
bool take_package(DefaultsEntry& entry, Diagnostics& diagnostics) {
    std::size_t at = entry.path.find('@');
    if (at == std::string::npos)
        return true;
    entry.package = entry.path.substr(at + 1);
    entry.path.resize(at);
    if (refuse_package(*entry.package, entry.where, diagnostics))
        return false;
    if (*entry.package == "_here_")
        entry.package = "";
    return true;
}

bool read_option(const Node& value, DefaultsEntry& entry, Diagnostics& diagnostics) {
    auto bad = [&](const Node& node) {
        diagnostics
            .error(code::kDefaultsForm,
                   node.where,
                   fmt::format("an option is a name, here is {}", kind_name(node.kind)))
            .with_hint("write 'group: option', 'group: [a, b]' or 'group: null'");
        return false;
    };
    if (value.is_null()) {
        entry.is_null = true;
    } else if (value.is_list()) {
        entry.is_list = true;
        for (const NodePtr& item : value.items) {
            if (!item->is_scalar() || item->is_null())
                return bad(*item);
            entry.options.push_back(item->text);
        }
    } else if (value.is_map()) {
        return bad(value);
    } else {
        entry.options.push_back(value.text);
    }
    return std::none_of(entry.options.begin(), entry.options.end(), [&](const std::string& option) {
        return refuse_path(option, value.where, diagnostics);
    });
}

std::optional<DefaultsEntry> read_group(const Entry& line, Diagnostics& diagnostics) {
    DefaultsEntry entry;
    Words words = take_words(line.key);
    entry.form = DefaultsEntry::Form::group;
    entry.optional = words.optional;
    entry.overrides = words.overrides;
    entry.path = words.rest;
    entry.where = {line.where.begin, std::max(line.where.end, line.value->where.end)};
    if (!take_package(entry, diagnostics) || refuse_path(entry.path, line.where, diagnostics))
        return std::nullopt;
    if (!read_option(*line.value, entry, diagnostics))
        return std::nullopt;
    static constexpr std::string_view kReserved[] = {"params", "schema", "stages"};
    std::string group = without_slash(entry.path);
    if (std::find(std::begin(kReserved), std::end(kReserved), group) != std::end(kReserved)) {
        diagnostics.error(
            code::kReservedGroup, line.where, fmt::format("no group may be called '{}'", group));
        return std::nullopt;
    }
    if (group == "launch") {
        diagnostics
            .error(code::kReservedGroup,
                   line.where,
                   "a recipe names no machine, 'launch' cannot stand in its defaults")
            .with_hint("choose it on the command line: launch=slurm");
        return std::nullopt;
    }
    return entry;
}

std::optional<DefaultsEntry> read_file_entry(const Node& line, Diagnostics& diagnostics) {
    DefaultsEntry entry;
    Words words = take_words(line.text);
    entry.optional = words.optional;
    entry.path = words.rest;
    entry.where = line.where;
    if (words.overrides) {
        diagnostics.error(
            code::kDefaultsForm, line.where, "'override' wants 'group: option' after it");
        return std::nullopt;
    }
    if (entry.path == "_self_") {
        entry.form = DefaultsEntry::Form::self;
        return entry;
    }
    if (is_address(entry.path)) {
        entry.remote = entry.path;
        entry.path = "remote";  // lands where a file beside this one would
        entry.options.push_back(entry.remote);
        return entry;
    }
    if (!take_package(entry, diagnostics) || refuse_path(entry.path, line.where, diagnostics))
        return std::nullopt;
    if (entry.path.ends_with(".yaml"))
        entry.path.resize(entry.path.size() - 5);
    entry.options.push_back(entry.path.substr(entry.path.rfind('/') + 1));
    return entry;
}

std::optional<DefaultsEntry> read_entry(const Node& line, Diagnostics& diagnostics) {
    if (line.is_map() && line.entries.size() == 1)
        return read_group(line.entries.front(), diagnostics);
    if (line.is_scalar() && !line.is_null())
        return read_file_entry(line, diagnostics);
    diagnostics
        .error(code::kDefaultsForm,
               line.where,
               line.is_map()
                   ? fmt::format("an entry of 'defaults' holds one group, here are {}",
                                 line.entries.size())
                   : fmt::format("an entry of 'defaults' cannot be {}", kind_name(line.kind)))
        .with_hint("write 'group: option', a file's name or '_self_'");
    return std::nullopt;
}

}  // namespace

std::string DefaultsEntry::group_path() const {
    std::string folder = form == Form::group ? path : folder_of(path);
    if (path.starts_with('/'))
        return without_slash(folder);
    return below(parent_group, folder);
}

std::string DefaultsEntry::file_name(std::string_view option) const {
    std::string name = form == Form::group ? std::string(option) : path.substr(path.rfind('/') + 1);
    return below(group_path(), name);
}

std::string DefaultsEntry::final_package(bool with_header) const {
    std::string own;
    if (package)
        own = *package;
    else if (with_header && header)
        own = *header;
    else
        own = dotted(without_slash(form == Form::group ? path : folder_of(path)));
    std::string joined = parent_package.empty() ? own
                         : own.empty()          ? parent_package
                                                : parent_package + "." + own;
    // What stands before the last _global_ does not count.
    std::size_t global = joined.rfind("_global_");
    if (global == std::string::npos)
        return joined;
    return joined.size() > global + 9 ? joined.substr(global + 9) : "";
}

std::string DefaultsEntry::override_key() const {
    std::string key = group_path();
    std::string lands = final_package(false);
    if (lands == dotted(key))
        return key;
    return key + "@" + (lands.empty() ? "_global_" : lands);
}

bool refuse_package(const std::string& package, Span where, Diagnostics& diagnostics) {
    auto refuse = [&](std::string message, std::string hint) {
        diagnostics.error(code::kPackage, where, std::move(message)).with_hint(std::move(hint));
        return true;
    };
    if (package.starts_with("_here_."))
        return refuse(fmt::format("'{}' is no package, '_here_' stands alone", package),
                      fmt::format("write '{}'", package.substr(7)));
    if (package == "_group_" || package == "_name_")
        return refuse(fmt::format("the package '{}' does not exist", package),
                      "write the package out, or '_here_' or '_global_'");
    std::vector<std::string> parts = split(package, '.');
    bool gap = !package.empty() && std::any_of(parts.begin(), parts.end(), [](const auto& part) {
        return part.empty() || part.find_first_of(" \t/") != std::string::npos;
    });
    if (gap)
        return refuse(fmt::format("'{}' is no package", package),
                      "a package is keys with dots between them, as in 'stages.score'");
    return false;
}

std::vector<DefaultsEntry> read_entries(const Node& defaults, Diagnostics& diagnostics) {
    std::vector<DefaultsEntry> entries;
    if (!defaults.is_list()) {
        diagnostics
            .error(code::kDefaultsForm,
                   defaults.where,
                   fmt::format("'defaults' is a list, here is {}", kind_name(defaults.kind)))
            .with_hint("write '- group: option' lines below it");
        return entries;
    }
    const DefaultsEntry* self = nullptr;
    const DefaultsEntry* override_entry = nullptr;
    bool told_of_order = false;
    entries.reserve(defaults.items.size() + 1);
    for (const NodePtr& line : defaults.items) {
        std::optional<DefaultsEntry> entry = read_entry(*line, diagnostics);
        if (!entry)
            continue;
        if (entry->form == DefaultsEntry::Form::self && self) {
            diagnostics.error(code::kTwoSelves, entry->where, "'_self_' stands twice in this list")
                .note(self->where, "first here");
            continue;
        }
        bool in_order = entry->overrides || entry->form == DefaultsEntry::Form::self;
        if (override_entry && !in_order && !told_of_order) {
            told_of_order = true;
            diagnostics
                .error(code::kOverrideOrder,
                       entry->where,
                       "entries after an 'override' must be overrides too")
                .note(override_entry->where, "the override stands here")
                .with_hint("move the 'override' lines to the end of the list");
        }
        entries.push_back(*entry);
        if (entry->form == DefaultsEntry::Form::self)
            self = &entries.back();
        if (entry->overrides)
            override_entry = &entries.back();
    }
    if (!self) {
        DefaultsEntry own;
        own.form = DefaultsEntry::Form::self;
        own.path = "_self_";
        own.where = defaults.where;
        entries.push_back(own);
    }
    return entries;
}

}  // namespace stillroom
