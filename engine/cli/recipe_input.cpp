#include "engine/cli/recipe_input.h"

#include "engine/base/codes.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/recipe/lock_file.h"
#include "engine/recipe/remote.h"
#include "engine/store/store.h"

#include <fmt/format.h>

#include <cstdlib>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

/// There is no such file: perhaps one beside it, or a recipe of the search path, was meant.
void refuse_recipe(Command& command, const Word& word) {
    std::vector<std::string> names = search_path(command).files();
    fs::path folder = fs::path(word.text).parent_path();
    for (const std::string& name : list_folder(folder.empty() ? "." : folder))
        names.push_back((folder / name).string());
    std::erase(names, word.text);  // a link that leads nowhere
    std::string hint = did_you_mean(word.text, names);
    command.diagnostics
        .error(code::kCannotRead, word.where, fmt::format("there is no recipe '{}'", word.text))
        .with_hint(hint.empty() ? "`stillroom recipes ls` lists those that have a name" : hint);
}

}  // namespace

fs::path recipe_path(const Command& command, const Word& word) {
    std::error_code ignored;
    bool looks_like_name = word.text.find_first_of("/.") == std::string::npos;
    if (!looks_like_name || fs::exists(word.text, ignored))
        return word.text;
    std::optional<FoundFile> found = search_path(command).find(word.text);
    return found && !found->outside ? found->path : fs::path(word.text);
}

std::optional<Request> recipe_request(Command& command,
                                      const Word& recipe,
                                      std::size_t first_override) {
    Request request;
    RemoteRecipes::Options remote;
    remote.offline = command.offline();
    remote.most_bytes = command.limits.file_bytes;
    bool is_remote = is_address(recipe.text);
    if (!is_remote) {
        request.recipe = recipe_path(command, recipe);
        remote.lock = request.recipe.parent_path() / kLockName;
    }
    request.remotes = std::make_shared<RemoteRecipes>(remote);
    if (is_remote) {
        auto copy = request.remotes->find(recipe.text, recipe.where, command.diagnostics);
        if (!copy)
            return std::nullopt;
        request.recipe = *copy;
    }
    std::error_code ignored;
    if (!fs::exists(request.recipe, ignored)) {
        refuse_recipe(command, recipe);
        return std::nullopt;
    }
    if (fs::is_directory(request.recipe, ignored)) {
        command.diagnostics.error(code::kCannotRead,
                                  recipe.where,
                                  fmt::format("'{}' is a folder, not a recipe", recipe.text));
        return std::nullopt;
    }
    request.named_at = recipe.where;
    for (const Word& word : command.words_from(first_override))
        request.arguments.push_back({word.index, word.text});
    request.config_dirs = command.config_folders();
    request.limits = command.limits;
    request.launch = command.configuration().launch;
    request.launch_where = command.configuration().launch_where;
    return request;
}

ResolveOptions resolve_options(const Command& command) {
    ResolveOptions options;
    options.environment = [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value ? std::optional<std::string>(value) : std::nullopt;
    };
    for (const Word& word : command.line.values("--allow-env"))
        options.allowed_names.push_back(word.text);
    options.is_remote = remote_places(command.sources);
    const std::vector<std::string>& site = command.configuration().allow_env;
    options.allowed_names.insert(options.allowed_names.end(), site.begin(), site.end());
    return options;
}

CheckOptions check_options(const Command& command, const Request& request) {
    ResolveOptions resolving = resolve_options(command);
    return {request, resolving.environment, resolving.allowed_names};
}

std::vector<TrustFlag> trust_flags(const Command& command) {
    std::vector<TrustFlag> flags;
    for (const Word& word : command.line.values("--trust"))
        flags.push_back({word.text, word.where});
    return flags;
}

SearchPath search_path(const Command& command, const fs::path& recipe) {
    return make_search_path(recipe, command.config_folders());
}

fs::path store_of(const Command& command) {
    const Word* flag = command.line.value("--store");
    return store_folder(flag ? flag->text : "", command.configuration().store);
}

}  // namespace stillroom::cli
