#include "engine/cli/complete.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/cli/complete_recipe.h"
#include "engine/cli/complete_run.h"
#include "engine/cli/terminal.h"
#include "engine/cli/verbs.h"

#include <algorithm>
#include <exception>
#include <filesystem>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

/// The words before the one at the cursor, sorted by the table alone: no mistake matters here.
struct Before {
    const Verb* verb = nullptr;
    std::vector<std::string> words;  // after the verb
    const Option* wants_value = nullptr;
    std::vector<fs::path> config_folders;
    bool only_words = false;  // after --
};

const Option* find_given(const Verb* verb, std::string_view argument) {
    if (const Option* option = find_option(verb, argument))
        return option;
    if (argument.size() == 2 && argument[0] == '-' && verb)
        for (const Option& option : verb->options)
            if (option.letter == argument[1])
                return &option;
    return nullptr;
}

Before read_before(const std::vector<std::string>& words) {
    Before before;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        const std::string& word = words[i];
        if (before.wants_value) {
            if (before.wants_value->name == "--config-dir")
                before.config_folders.emplace_back(word);
            before.wants_value = nullptr;
        } else if (word == "--" && !before.only_words) {
            before.only_words = true;
        } else if (word.starts_with("-") && !before.only_words) {
            const Option* option = find_given(before.verb, word);
            if (option && !option->value.empty())
                before.wants_value = option;
        } else if (!before.verb) {
            before.verb = find_verb(word);
        } else {
            before.words.push_back(word);
        }
    }
    return before;
}

std::vector<std::string> keep_matching(std::vector<std::string> candidates,
                                       std::string_view start) {
    std::erase_if(candidates, [&](const std::string& one) { return !one.starts_with(start); });
    return candidates;
}

std::vector<std::string> whole(std::vector<std::string> candidates) {
    for (std::string& candidate : candidates)
        candidate += ' ';
    return candidates;
}

/// Files and folders that begin as `start` does; of files those with one of the endings, or all.
std::vector<std::string> complete_files(std::string_view start,
                                        std::initializer_list<std::string_view> endings,
                                        bool folders_only = false) {
    std::size_t slash = start.rfind('/');
    std::string folder(slash == std::string_view::npos ? "" : start.substr(0, slash + 1));
    std::string_view begins = start.substr(folder.size());
    fs::path place = folder.empty() ? fs::path(".") : fs::path(folder);
    if (folder.starts_with("~/"))
        place = home_folder() / folder.substr(2);
    std::vector<std::string> found;
    for (const std::string& name : list_folder(place)) {
        if (!name.starts_with(begins) || (name[0] == '.' && !begins.starts_with(".")))
            continue;
        std::error_code ignored;
        bool is_folder = fs::is_directory(place / name, ignored);
        bool fits = endings.size() == 0 ||
                    std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) {
                        return name.ends_with(ending);
                    });
        if (is_folder)
            found.push_back(folder + name + "/");
        else if (fits && !folders_only)
            found.push_back(folder + name + " ");
    }
    return found;
}

std::vector<std::string> complete_options(const Verb* verb, std::string_view start) {
    std::vector<std::string> names;
    for (const Option& option : common_options())
        names.emplace_back(option.name);
    if (verb)
        for (const Option& option : verb->options)
            names.emplace_back(option.name);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return whole(keep_matching(std::move(names), start));
}

std::vector<std::string> runs_and(std::vector<std::string> others, std::string_view start) {
    std::vector<std::string> found = whole(complete_run(start));
    found.insert(found.end(), others.begin(), others.end());
    return found;
}

std::vector<std::string> complete_named(Names names,
                                        const Before& before,
                                        const std::string& start) {
    RecipeWords recipe{before.words.empty() ? "" : before.words.front(), before.config_folders, {}};
    if (before.words.size() > 1)
        recipe.arguments.assign(before.words.begin() + 1, before.words.end());
    switch (names) {
        case Names::nothing:
            return {};
        case Names::file:
            return complete_files(start, {});
        case Names::folder:
            return complete_files(start, {}, true);
        case Names::recipe:
            return complete_files(start, {".yaml", ".yml", ".json"});
        case Names::verb:
            return whole(keep_matching(verb_names(), start));
        case Names::stage:
            return whole(keep_matching(stage_type_names(), start));
        case Names::library:
            return whole(keep_matching(library_names(before.config_folders), start));
        case Names::run:
            return runs_and(complete_files(start, {}, true), start);
        case Names::recipe_or_run:
            return runs_and(complete_files(start, {".yaml", ".yml", ".json"}), start);
        case Names::file_or_run:
            return runs_and(complete_files(start, {}), start);
        case Names::run_stage:
            return before.words.size() < 2 ? std::vector<std::string>()
                                           : whole(complete_run_stage(before.words[1], start));
        case Names::recipe_key:
            return complete_key(recipe, start);
        case Names::override_:
            return complete_override(recipe, start);
    }
    return {};
}

std::vector<std::string> complete_value(const Option& option,
                                        const Before& before,
                                        const std::string& start) {
    if (!option.choices.empty())
        return whole(keep_matching(split(option.choices, '|'), start));
    return complete_named(option.names, before, start);
}

std::vector<std::string> complete_word(const Before& before, const std::string& start) {
    if (!before.verb)
        return whole(keep_matching(verb_names(), start));
    const Verb& verb = *before.verb;
    std::size_t at = before.words.size();
    if (at >= verb.most)
        return {};
    if (at == 0 && !verb.actions.empty())
        return whole(keep_matching(split(verb.actions, '|'), start));
    if (verb.name == "schema" && before.words.front() == "stage")
        return complete_named(Names::stage, before, start);
    if (verb.name == "help" && at == 0) {
        std::vector<std::string> found = complete_named(Names::verb, before, start);
        for (Names names : {Names::stage, Names::recipe})
            for (std::string& candidate : complete_named(names, before, start))
                found.push_back(std::move(candidate));
        return found;
    }
    if (verb.names.empty())
        return {};
    return complete_named(verb.names[std::min(at, verb.names.size() - 1)], before, start);
}

std::string escape_for_shell(std::string_view candidate) {
    std::string out;
    bool is_whole = candidate.ends_with(" ");
    if (is_whole)
        candidate.remove_suffix(1);
    for (char c : candidate) {
        if (std::string_view(" \t\\'\"$&;()<>|*?[]{}`!#").find(c) != std::string_view::npos)
            out += '\\';
        out += c;
    }
    return is_whole ? out + " " : out;
}

/// Bash replaces only what follows the last break character of the word. An escaped blank is none.
std::string after_last_break(std::string_view candidate,
                             std::string_view start,
                             std::string_view breaks) {
    std::string cuts(breaks);
    std::erase_if(cuts, [](char c) {
        return std::string_view(" \t\n\"'").find(c) != std::string_view::npos;
    });
    std::size_t cut = start.find_last_of(cuts);
    return std::string(candidate.substr(cut == std::string_view::npos ? 0 : cut + 1));
}

}  // namespace

std::vector<std::string> complete(const std::vector<std::string>& words) {
    if (words.empty())
        return {};
    Before before = read_before(words);
    const std::string& current = words.back();
    if (before.wants_value)
        return complete_value(*before.wants_value, before, current);
    std::size_t equals = current.find('=');
    if (current.starts_with("--") && equals != std::string::npos && !before.only_words) {
        const Option* option = find_given(before.verb, current.substr(0, equals));
        std::vector<std::string> found;
        if (option && !option->value.empty())
            for (const std::string& value :
                 complete_value(*option, before, current.substr(equals + 1)))
                found.push_back(current.substr(0, equals + 1) + value);
        return found;
    }
    if (current.starts_with("-") && !before.only_words)
        return complete_options(before.verb, current);
    return complete_word(before, current);
}

std::vector<std::string> split_shell_line(std::string_view line) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        char c = line[i];
        bool escapes = c == '\\' && quote != '\'' && i + 1 < line.size();
        if (escapes) {
            char next = line[++i];
            if (quote == '"' && std::string_view("\"\\$`").find(next) == std::string_view::npos)
                word += '\\';
            word += next;
            in_word = true;
        } else if (quote) {
            if (c == quote)
                quote = 0;
            else
                word += c;
        } else if (c == '\'' || c == '"') {
            quote = c;
            in_word = true;
        } else if (c == ' ' || c == '\t' || c == '\n') {
            if (in_word)
                words.push_back(std::move(word));
            word.clear();
            in_word = false;
        } else {
            word += c;
            in_word = true;
        }
    }
    words.push_back(std::move(word));
    return words;
}

int answer_completion(int argc, char** argv) {
    // Whatever goes wrong, the person at the prompt must not see it: they are typing.
    try {
        std::vector<std::string> arguments(argv + 2, argv + argc);
        if (arguments.empty())
            return 0;
        std::string shell = arguments.front();
        arguments.erase(arguments.begin());
        std::string out;
        if (shell == "bash" && arguments.size() == 2) {
            std::vector<std::string> words = split_shell_line(arguments[1]);
            words.erase(words.begin());
            for (const std::string& candidate : complete(words)) {
                std::string rest = after_last_break(candidate, words.back(), arguments[0]);
                out += escape_for_shell(rest) + "\n";
            }
        } else {
            for (const std::string& candidate : complete(arguments))
                out += (shell == "fish" ? std::string(trim(candidate)) : candidate) + "\n";
        }
        write_stdout(out);
    } catch (const std::exception&) {
        return 0;
    }
    return 0;
}

}  // namespace stillroom::cli
