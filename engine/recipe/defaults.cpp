// The defaults list becomes a tree, the tree a list of files in the order of merging.
//
// The `override` entries of a list are taken in before its other entries are expanded, those from
// last to first: of two overrides that of the outer list wins, then that of the later file, then
// the first of one list. Choices of the command line are known before all, so they win. An option
// that follows another choice (`${db}_x`) waits until the rest of the tree stands.

#include "engine/recipe/defaults.h"

#include "engine/base/codes.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/recipe/defaults_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostParts = 64;  // of a package: what works on trees calls itself for each

/// What was decided about a group, by an argument or by an `override` entry.
struct Decision {
    std::vector<std::string> options;
    bool is_list = false;
    bool is_null = false;
    bool from_argument = false;
    bool used = false;
    Span where;
};

struct Deletion {
    std::string option;  ///< empty: whichever it is
    Span where;
    bool used = false;
};

struct Chosen {
    std::string option;
    Span where;
    bool loads = false;  ///< a file stands behind it
};

struct Tree {
    DefaultsEntry entry;
    const Document* document = nullptr;
    fs::path file;
    fs::path parent_file;
    bool dropped = false;  ///< optional and absent, null, deleted
    bool waits = false;    ///< for the choices that its option names
    std::set<std::string>
        decided_before;  ///< of one that waits: decisions that may still change it
    std::deque<Tree> children;
};

struct Hop {
    fs::path file;
    Span where;
};

DefaultsEntry self_entry() {
    DefaultsEntry entry;
    entry.form = DefaultsEntry::Form::self;
    entry.path = "_self_";
    return entry;
}

class Expander {
public:
    Expander(const std::vector<GroupChoice>& choices,
             const SearchPath& search,
             FileCache& files,
             RemoteRecipes* remotes,
             bool choices_may_be_open,
             Diagnostics& diagnostics)
        : search_(search),
          files_(files),
          remotes_(remotes),
          open_(choices_may_be_open),
          diagnostics_(diagnostics) {
        for (const GroupChoice& choice : choices)
            take(choice);
    }

    std::vector<Layer> run(const fs::path& recipe, Span named_at) {
        Tree root;
        root.file = recipe;
        root.document = files_.read(recipe, named_at);
        if (!root.document)
            return {};
        stack_.push_back({recipe, {}});
        expand_children(root, true, nullptr);
        stack_.pop_back();
        settle(root);
        if (diagnostics_.ok())
            report_unused();
        std::vector<Layer> layers;
        flatten(root, layers, true);
        return layers;
    }

private:
    void take(const GroupChoice& choice) {
        switch (choice.kind) {
            case GroupChoice::Kind::change:
                if (auto gone = deletions_.find(choice.key()); gone != deletions_.end())
                    diagnostics_
                        .error(code::kGroupOverride,
                               choice.where,
                               fmt::format("'{}' was deleted by another argument", choice.key()))
                        .note(gone->second.where, "deleted here");
                decisions_[choice.key()] = {
                    choice.options, choice.is_list, false, true, false, choice.where};
                break;
            case GroupChoice::Kind::add: {
                DefaultsEntry entry;
                entry.form = DefaultsEntry::Form::group;
                entry.path = choice.group;
                entry.package = choice.package;
                entry.options = choice.options;
                entry.is_list = choice.is_list;
                entry.appended = true;
                entry.where = choice.where;
                appended_.push_back(entry);
                break;
            }
            case GroupChoice::Kind::remove:
                deletions_[choice.key()] = {
                    choice.options.empty() ? "" : choice.options.front(), choice.where, false};
                if (auto chosen = decisions_.find(choice.key()); chosen != decisions_.end())
                    diagnostics_
                        .error(code::kGroupOverride,
                               chosen->second.where,
                               fmt::format("'{}' was deleted by another argument", choice.key()))
                        .note(choice.where, "deleted here");
                break;
        }
    }

    void expand_children(Tree& node, bool is_root, const std::set<std::string>* eligible) {
        const Node& root = *node.document->root;
        NodePtr list = root.get("defaults");
        std::vector<DefaultsEntry> entries;
        if (list)
            entries = read_entries(*list, diagnostics_);
        if (is_root && !appended_.empty()) {
            if (entries.empty())
                entries.push_back(self_entry());
            entries.insert(entries.end(), appended_.begin(), appended_.end());
        }
        if (!is_root)
            for (DefaultsEntry& entry : entries) {
                entry.parent_group = node.entry.group_path();
                entry.parent_package = node.entry.final_package();
            }
        refuse_repeats(entries);
        for (const DefaultsEntry& entry : entries)
            if (entry.overrides)
                decide(entry, eligible != nullptr);
        for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry)
            if (!entry->overrides)
                expand_entry(*entry, node, eligible);
    }

    /// One group twice in one list; `override` lines change a group and do not count.
    void refuse_repeats(std::vector<DefaultsEntry>& entries) {
        std::map<std::string, Span> seen;
        std::erase_if(entries, [&](const DefaultsEntry& entry) {
            if (entry.form != DefaultsEntry::Form::group || entry.overrides || entry.appended)
                return false;
            auto [before, is_new] = seen.emplace(entry.override_key(), entry.where);
            if (is_new)
                return false;
            diagnostics_
                .error(code::kTwoValues,
                       entry.where,
                       fmt::format("the group '{}' is chosen twice in this list",
                                   entry.override_key()))
                .note(before->second, "first here")
                .with_hint(fmt::format("'{}: [a, b]' merges several options", entry.path));
            return true;
        });
    }

    void expand_entry(DefaultsEntry entry, Tree& parent, const std::set<std::string>* eligible) {
        if (entry.form == DefaultsEntry::Form::self) {
            Tree self;
            self.entry = entry;
            parent.children.push_front(std::move(self));
            return;
        }
        if (entry.form == DefaultsEntry::Form::group)
            apply_decision(entry, eligible);
        if (entry.is_list) {
            for (auto option = entry.options.rbegin(); option != entry.options.rend(); ++option) {
                DefaultsEntry one = entry;
                one.is_list = false;
                one.options = {*option};
                add_child(std::move(one), parent, eligible, true);
            }
            return;
        }
        add_child(std::move(entry), parent, eligible, false);
    }

    void add_child(DefaultsEntry entry,
                   Tree& parent,
                   const std::set<std::string>* eligible,
                   bool of_list) {
        Tree child;
        child.parent_file = parent.file;
        child.waits = entry.option().find("${") != std::string::npos;
        child.entry = std::move(entry);
        if (child.waits && of_list) {
            diagnostics_.error(code::kDefaultsReference,
                               child.entry.where,
                               "an option in a list cannot follow another choice");
            return;
        }
        if (child.waits) {
            for (const auto& [key, decision] : decisions_)
                if (!eligible || eligible->count(key) != 0)
                    child.decided_before.insert(key);
        } else {
            expand(child, eligible, of_list);
        }
        parent.children.push_front(std::move(child));
    }

    void decide(const DefaultsEntry& entry, bool in_waiting_subtree) {
        std::string key = entry.override_key();
        if (in_waiting_subtree) {
            diagnostics_.error(
                code::kOverrideOrder,
                entry.where,
                fmt::format(
                    "'override {}' cannot stand below an option that follows another choice", key));
            return;
        }
        decisions_.try_emplace(
            key, Decision{entry.options, entry.is_list, entry.is_null, false, false, entry.where});
    }

    void apply_decision(DefaultsEntry& entry, const std::set<std::string>* eligible) {
        std::string key = entry.override_key();
        auto found = decisions_.find(key);
        if (found == decisions_.end() || (eligible && eligible->count(key) == 0))
            return;
        Decision& decision = found->second;
        decision.used = true;
        entry.options = decision.options;
        entry.is_list = decision.is_list;
        entry.is_null = decision.is_null;
        entry.where = decision.where;
    }

    /// Finds the file, checks the choice, expands what the file brings in.
    void expand(Tree& node, const std::set<std::string>* eligible, bool of_list) {
        DefaultsEntry& entry = node.entry;
        std::optional<FoundFile> found;
        bool names_file = !entry.is_null && entry.option() != "???";
        if (!entry.remote.empty()) {
            std::optional<fs::path> copy = remote_file(entry);
            node.dropped = !copy;
            if (!copy)
                return;
            found = FoundFile{*copy};
        } else if (names_file) {
            found = search_.find(entry.file_name(entry.option()));
        }
        if (found && found->outside) {
            diagnostics_
                .error(code::kOutside,
                       entry.where,
                       fmt::format("'{}' is a link out of its folder", found->path.string()))
                .exits(kExitPolicy);
            return;
        }
        if (found) {
            if (refuse_cycle(found->path, entry))
                return;
            node.file = found->path;
            node.document = files_.read(found->path, entry.where);
            if (!node.document)
                return;
            if (node.document->package &&
                refuse_package(*node.document->package, node.document->package_where, diagnostics_))
                return;
            if (node.document->package)
                entry.header = *node.document->package == "_global_" ||
                                       node.document->package->starts_with("_global_.")
                                   ? *node.document->package
                                   : "_global_." + *node.document->package;
        }
        if (refuse_deep_package(entry) || is_deleted(entry)) {
            node.dropped = true;
            return;
        }
        if (entry.form == DefaultsEntry::Form::group && !of_list &&
            !note_choice(entry, found.has_value()))
            return;
        if (entry.is_null) {
            node.dropped = true;
            return;
        }
        if (entry.option() == "???") {
            node.dropped = true;
            if (!open_)
                refuse_missing(entry);
            return;
        }
        if (!found) {
            node.dropped = true;
            if (!entry.optional)
                refuse_absent(entry);
            return;
        }
        stack_.push_back({node.file, entry.where});
        expand_children(node, false, eligible);
        stack_.pop_back();
    }

    std::optional<fs::path> remote_file(const DefaultsEntry& entry) {
        if (remotes_)
            return remotes_->find(entry.remote, entry.where, diagnostics_);
        refuse_fetching(entry.remote, entry.where, diagnostics_);
        return std::nullopt;
    }

    /// A package adds to those around it, so its own length says little.
    bool refuse_deep_package(const DefaultsEntry& entry) {
        std::string package = entry.final_package();
        auto dots = static_cast<std::size_t>(std::count(package.begin(), package.end(), '.'));
        if (dots < kMostParts)
            return false;
        diagnostics_.error(
            code::kPackage,
            entry.where,
            fmt::format(
                "this lands in a package of {} parts, at most {} may be", dots + 1, kMostParts));
        return true;
    }

    bool refuse_cycle(const fs::path& file, const DefaultsEntry& entry) {
        auto start = std::find_if(stack_.begin(), stack_.end(), [&](const Hop& hop) {
            std::error_code error;
            return hop.file == file || fs::equivalent(hop.file, file, error);
        });
        if (start == stack_.end())
            return false;
        auto& mistake =
            diagnostics_.error(code::kFileCycle,
                               entry.where,
                               fmt::format("'{}' brings itself in", start->file.string()));
        for (auto hop = start + 1; hop != stack_.end(); ++hop)
            mistake.note(hop->where, fmt::format("brings in '{}'", hop->file.string()));
        if (start + 1 != stack_.end())
            mistake.note(entry.where, fmt::format("brings in '{}' again", start->file.string()));
        return true;
    }

    bool is_deleted(const DefaultsEntry& entry) {
        if (entry.form != DefaultsEntry::Form::group)
            return false;
        auto found = deletions_.find(entry.override_key());
        if (found == deletions_.end())
            return false;
        if (!found->second.option.empty() && found->second.option != entry.option())
            return false;
        found->second.used = true;
        return true;
    }

    /// One group in one place has one option, and its file is loaded once.
    bool note_choice(const DefaultsEntry& entry, bool loads) {
        std::string key = entry.override_key();
        placements_[entry.group_path()].insert(key);
        auto [known, is_new] = chosen_.emplace(key, Chosen{entry.option(), entry.where, loads});
        if (is_new)
            return true;
        Chosen& before = known->second;
        bool is_same = before.option == entry.option();
        if (is_same && !(before.loads && loads)) {
            before.loads = before.loads || loads;
            return true;
        }
        if (entry.appended || is_appended(before.where)) {
            diagnostics_
                .error(code::kTwoValues,
                       entry.appended ? entry.where : before.where,
                       fmt::format("the group '{}' is chosen already", key))
                .note(entry.appended ? before.where : entry.where, "it is chosen here")
                .with_hint(fmt::format("write '{}={}' to change it",
                                       key,
                                       entry.appended ? entry.option() : before.option));
            return false;
        }
        if (is_same) {
            diagnostics_
                .error(code::kTwoValues,
                       entry.where,
                       fmt::format("the group '{}' is chosen in two defaults lists", key))
                .note(before.where, "it is chosen here too")
                .with_hint(
                    fmt::format("take one of the two out, or place it elsewhere: '{}@PACKAGE: {}'",
                                entry.path,
                                entry.option()));
            return false;
        }
        diagnostics_
            .error(code::kTwoValues,
                   entry.where,
                   fmt::format("the group '{}' has two values, '{}' and '{}'",
                               key,
                               entry.option(),
                               before.option))
            .note(before.where, "the other is chosen here")
            .with_hint(
                fmt::format("'override {}: {}' changes an earlier choice", key, entry.option()));
        return false;
    }

    bool is_appended(Span where) const {
        return std::any_of(appended_.begin(), appended_.end(), [&](const DefaultsEntry& entry) {
            return entry.where == where;
        });
    }

    void refuse_missing(const DefaultsEntry& entry) {
        std::vector<std::string> options = search_.options(entry.group_path());
        diagnostics_
            .error(code::kChoiceMissing,
                   entry.where,
                   fmt::format("the group '{0}' has no default, choose {0}=<option>",
                               entry.override_key()))
            .with_hint(options.empty() ? "it has no options on the search path"
                                       : fmt::format("its options are {}", join(options)));
    }

    void refuse_absent(const DefaultsEntry& entry) {
        std::string group = entry.group_path();
        if (entry.form == DefaultsEntry::Form::file) {
            if (entry.path.starts_with('/') && fs::exists(entry.path)) {
                diagnostics_
                    .error(code::kOutside,
                           entry.where,
                           fmt::format("'{}' lies outside the search path", entry.path))
                    .with_hint(
                        "files of a recipe lie in its folder or on the search path; see "
                        "--config-dir")
                    .exits(kExitPolicy);
                return;
            }
            std::vector<std::string> names = search_.options(group);
            std::string hint = did_you_mean(entry.option(), names);
            diagnostics_
                .error(code::kNoSuchFile,
                       entry.where,
                       fmt::format("there is no file '{}.yaml' on the search path",
                                   entry.file_name("")))
                .note({}, "searched " + search_.text())
                .with_hint(hint);
            return;
        }
        if (!search_.is_group(group)) {
            std::vector<std::string> groups = search_.groups();
            diagnostics_
                .error(
                    code::kNoSuchGroup, entry.where, fmt::format("there is no group '{}'", group))
                .note({}, "searched " + search_.text())
                .with_hint(did_you_mean(group, groups));
            return;
        }
        std::vector<std::string> options = search_.options(group);
        std::string hint = did_you_mean(entry.option(), options);
        diagnostics_
            .error(code::kNoSuchOption,
                   entry.where,
                   fmt::format("the group '{}' has no option '{}'", group, entry.option()))
            .note({}, "searched " + search_.text())
            .with_hint((hint.empty() ? "" : hint + " ") +
                       fmt::format("its options are {}", join(options)));
    }

    /// Expands what waits for other choices, as long as one of them can be expanded.
    void settle(Tree& root) {
        while (settle_one(root)) {
        }
        std::vector<std::string> known;
        for (const auto& [key, choice] : chosen_)
            known.push_back(key);
        refuse_waiting(root, known);
    }

    bool settle_one(Tree& node) {
        for (Tree& child : node.children) {
            if (!child.waits) {
                if (settle_one(child))
                    return true;
                continue;
            }
            std::optional<std::string> option = follow_choices(child.entry.option());
            if (!option)
                continue;
            child.waits = false;
            child.entry.options = {*option};
            expand(child, &child.decided_before, false);
            return true;
        }
        return false;
    }

    std::optional<std::string> follow_choices(const std::string& text) const {
        std::string out;
        std::size_t i = 0;
        while (i < text.size()) {
            std::size_t start = text.find("${", i);
            out += text.substr(i, start == std::string::npos ? start : start - i);
            if (start == std::string::npos)
                break;
            std::size_t end = text.find('}', start);
            if (end == std::string::npos)
                return std::nullopt;
            auto known = chosen_.find(std::string(trim(text.substr(start + 2, end - start - 2))));
            if (known == chosen_.end() || known->second.option.empty())
                return std::nullopt;
            out += known->second.option;
            i = end + 1;
        }
        return out;
    }

    void refuse_waiting(const Tree& node, const std::vector<std::string>& known) {
        for (const Tree& child : node.children) {
            if (child.waits)
                diagnostics_
                    .error(code::kDefaultsReference,
                           child.entry.where,
                           fmt::format("'{}' names no choice of this recipe", child.entry.option()))
                    .with_hint(known.empty() ? ""
                                             : fmt::format("it may name {}", join(known, "or")));
            refuse_waiting(child, known);
        }
    }

    void report_unused() {
        for (const auto& [key, decision] : decisions_) {
            if (decision.used)
                continue;
            std::string group = key.substr(0, key.find('@'));
            auto placed = placements_.find(group);
            std::vector<std::string> names;
            if (placed != placements_.end())
                names.assign(placed->second.begin(), placed->second.end());
            if (!decision.from_argument) {
                diagnostics_
                    .error(code::kOverrideOrder,
                           decision.where,
                           fmt::format("'override {}' has no earlier choice to change", key))
                    .with_hint(
                        names.empty()
                            ? fmt::format("write '{}: {}' to choose it",
                                          key,
                                          decision.options.empty() ? "null" : decision.options[0])
                            : fmt::format("did you mean {}?", join(names, "or")));
                continue;
            }
            auto& mistake =
                diagnostics_.error(code::kNoSuchGroup,
                                   decision.where,
                                   fmt::format("'{}' is not in the defaults list", key));
            if (names.empty())
                mistake.with_hint(fmt::format(
                    "to add it write '+{}={}'",
                    key,
                    decision.is_list ? fmt::format("[{}]", fmt::join(decision.options, ","))
                                     : decision.options.front()));
            else
                mistake.with_hint(fmt::format("did you mean {}?", join(names, "or")));
        }
        for (const auto& [key, deletion] : deletions_)
            if (!deletion.used)
                diagnostics_.error(
                    code::kNoSuchGroup,
                    deletion.where,
                    deletion.option.empty()
                        ? fmt::format("'{}' is not in the defaults list, it cannot be deleted", key)
                        : fmt::format("'{}={}' is not in the defaults list, it cannot be deleted",
                                      key,
                                      deletion.option));
    }

    void flatten(const Tree& node, std::vector<Layer>& layers, bool is_root) const {
        if (node.children.empty()) {
            layers.push_back(layer_of(node, is_root));
            layers.back().choice.self = is_root;
            return;
        }
        for (const Tree& child : node.children) {
            if (child.entry.form == DefaultsEntry::Form::self) {
                layers.push_back(layer_of(node, is_root));
                layers.back().choice.self = true;
            } else {
                flatten(child, layers, false);
            }
        }
    }

    static Layer layer_of(const Tree& node, bool is_root) {
        Layer layer;
        layer.choice.file = node.file;
        layer.choice.parent = node.parent_file;
        layer.choice.where = node.entry.where;
        layer.choice.shadowed = node.dropped;
        layer.choice.option = is_root ? node.file.stem().string() : node.entry.option();
        if (!is_root) {
            layer.choice.package = node.entry.final_package();
            if (node.entry.form == DefaultsEntry::Form::group)
                layer.choice.group = node.entry.group_path();
        }
        if (!node.dropped && node.document)
            layer.content = node.document->root;
        return layer;
    }

    const SearchPath& search_;
    FileCache& files_;
    RemoteRecipes* remotes_;
    bool open_;
    Diagnostics& diagnostics_;
    std::vector<DefaultsEntry> appended_;
    std::map<std::string, Decision> decisions_;
    std::map<std::string, Deletion> deletions_;
    std::map<std::string, Chosen> chosen_;                     // by key
    std::map<std::string, std::set<std::string>> placements_;  // group -> keys
    std::vector<Hop> stack_;
};

}  // namespace

std::vector<Layer> expand_defaults(const fs::path& recipe,
                                   Span named_at,
                                   const std::vector<GroupChoice>& choices,
                                   const SearchPath& search,
                                   FileCache& files,
                                   RemoteRecipes* remotes,
                                   bool choices_may_be_open,
                                   Diagnostics& diagnostics) {
    return Expander(choices, search, files, remotes, choices_may_be_open, diagnostics)
        .run(recipe, named_at);
}

}  // namespace stillroom
