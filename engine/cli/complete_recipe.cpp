#include "engine/cli/complete_recipe.h"

#include "engine/base/text.h"
#include "engine/cli/key_facts.h"
#include "engine/cli/origins.h"
#include "engine/recipe/compose.h"
#include "engine/recipe/override.h"
#include "engine/recipe/resolve.h"
#include "engine/recipe/search_path.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace stillroom::cli {
namespace {

using Candidates = std::vector<std::string>;

/// A recipe as far as it can be put together.
class Subject {
public:
    explicit Subject(const RecipeWords& words)
        : catalog_(sources_, schema_folders()),
          search_(make_search_path(words.file, words.config_folders)) {
        Request request;
        request.recipe = words.file;
        request.config_dirs = words.config_folders;
        request.catalog = &catalog_;
        request.choices_may_be_open = true;
        int index = 1;
        for (const std::string& argument : words.arguments)
            request.arguments.push_back({index++, argument});
        Diagnostics ignored;
        recipe_ = compose(sources_, request, ignored);
        if (recipe_ && recipe_->root)
            return;
        // The arguments before the cursor may be what is wrong.
        request.arguments.clear();
        Diagnostics ignored_too;
        recipe_ = compose(sources_, request, ignored_too);
        if (recipe_ && recipe_->root)
            return;
        Diagnostics reading;
        Document alone = read_document(sources_, words.file, {}, reading);
        recipe_ = Recipe{words.file, alone.root ? alone.root : make_map(), {}, nullptr};
    }

    const Catalog& catalog() const { return catalog_; }
    const SearchPath& search() const { return search_; }
    const Recipe& recipe() const { return *recipe_; }
    const NodePtr& root() const { return recipe_->root; }

    /// Groups that the recipe has chosen from, as an override names them: "db", "db@backup". The
    /// group `launch` is always there.
    std::set<std::string> chosen_groups() const {
        std::set<std::string> names = {"launch"};
        for (const Choice& choice : recipe_->defaults) {
            if (choice.group.empty() || choice.self)
                continue;
            std::string package = choice.group;
            std::replace(package.begin(), package.end(), '/', '.');
            names.insert(choice.package == package
                             ? choice.group
                             : fmt::format("{}@{}", choice.group, choice.package));
        }
        return names;
    }

private:
    Sources sources_;
    Catalog catalog_;
    SearchPath search_;
    std::optional<Recipe> recipe_;
};

/// What may follow `key=`: options of a group, words that the schema lists, else what stands there.
Candidates values_of(const Subject& subject, const std::string& key) {
    std::string group = key.substr(0, key.find('@'));
    if (subject.search().is_group(group))
        return subject.search().options(group);
    std::vector<std::string> path = split_path(key);
    std::optional<KeyHelp> help = help_at(path, subject.root(), subject.catalog());
    if (help && !help->choices.empty())
        return help->choices;
    NodePtr value = look_up(subject.root(), path);
    bool tells = value && value->is_scalar() && !value->is_missing();
    return tells ? Candidates{one_line(*value, 200)} : Candidates{};
}

/// The path above the part that is being typed, with its dot: "stages.student." of
/// "stages.student.to".
std::string typed_parent(std::string_view key) {
    std::size_t dot = key.rfind('.');
    return std::string(dot == std::string_view::npos ? "" : key.substr(0, dot + 1));
}

bool holds_keys(const Subject& subject, const std::vector<std::string>& path) {
    NodePtr value = look_up(subject.root(), path);
    if (value)
        return value->is_map() ? !names_below(path, subject.root(), subject.catalog()).empty()
                               : value->is_list() && !value->items.empty();
    std::optional<KeyHelp> help = help_at(path, subject.root(), subject.catalog());
    return help && help->has_keys;
}

/// Keys that go on as `start` does. What ends in a dot has more below it.
Candidates keys_of(const Subject& subject, const std::string& start, std::string_view ending) {
    std::string parent = typed_parent(start);
    std::vector<std::string> above = split_path(parent);
    Candidates found;
    for (const std::string& name : names_below(above, subject.root(), subject.catalog())) {
        std::string key = parent + name;
        bool is_package_key = above.empty() && (name == "defaults" || name == "recipe");
        if (!key.starts_with(start) || is_package_key)
            continue;
        std::vector<std::string> path = above;
        path.push_back(name);
        found.push_back(key + (holds_keys(subject, path) ? "." : std::string(ending)));
    }
    return found;
}

Candidates sorted(Candidates candidates) {
    std::sort(candidates.begin(), candidates.end());
    candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
    return candidates;
}

Candidates with_prefix(std::string_view prefix, Candidates candidates) {
    for (std::string& candidate : candidates)
        candidate.insert(0, prefix);
    return candidates;
}

}  // namespace

Candidates complete_override(const RecipeWords& words, const std::string& start) {
    Subject subject(words);
    std::size_t sign = std::min(start.find_first_not_of("+~"), start.size());
    std::string prefix = start.substr(0, sign);
    std::string rest = start.substr(sign);
    std::size_t equals = rest.find('=');
    if (equals != std::string::npos) {
        std::string key = rest.substr(0, equals);
        std::string typed = rest.substr(equals + 1);
        std::string before = typed.substr(0, typed.rfind(',') + 1);  // a sweep: the last value
        Candidates found;
        for (const std::string& value : values_of(subject, key))
            if (value.starts_with(typed.substr(before.size())))
                found.push_back(fmt::format("{}{}={}{} ", prefix, key, before, value));
        return sorted(std::move(found));
    }

    std::set<std::string> chosen = subject.chosen_groups();
    Candidates found;
    if (prefix == "~") {
        for (const std::string& group : chosen)
            if (group != "launch" && group.starts_with(rest))
                found.push_back(group + " ");
        for (const std::string& key : keys_of(subject, rest, " ")) {
            found.push_back(key);
            if (key.ends_with("."))
                found.push_back(key.substr(0, key.size() - 1) + " ");
        }
        return with_prefix(prefix, sorted(std::move(found)));
    }
    if (prefix == "+") {
        for (const std::string& group : subject.search().groups())
            if (!chosen.count(group) && group.starts_with(rest))
                found.push_back(group + "=");
    } else if (prefix.empty()) {
        for (const std::string& group : chosen)
            if (group.starts_with(rest))
                found.push_back(group + "=");
    }
    if (prefix != "+" || rest.find('.') != std::string::npos)
        for (const std::string& key : keys_of(subject, rest, "="))
            found.push_back(key);
    return with_prefix(prefix, sorted(std::move(found)));
}

Candidates complete_key(const RecipeWords& words, const std::string& start) {
    RecipeWords alone = words;
    alone.arguments.clear();
    Subject subject(alone);
    return sorted(keys_of(subject, start, " "));
}

Candidates stage_type_names() {
    Sources sources;
    return Catalog(sources, schema_folders()).names();
}

Candidates library_names(const std::vector<std::filesystem::path>& config_folders) {
    SearchPath search = make_search_path({}, config_folders);
    Candidates names = search.files();
    for (const std::string& group : search.groups())
        for (const std::string& option : search.options(group))
            names.push_back(fmt::format("{}/{}", group, option));
    return names;
}

}  // namespace stillroom::cli
