#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::cli {

struct Command;

/// What a word or an option's value names, for completion.
enum class Names {
    nothing,
    file,
    folder,
    recipe,
    override_,
    stage,
    recipe_key,
    verb,
    library,
    run,
    run_stage,
    recipe_or_run,
    file_or_run,
};

struct Option {
    std::string_view name;   ///< "--config-dir"
    char letter = 0;         ///< 'p' for -p; 0: none
    std::string_view value;  ///< what stands for its value in help; empty: a flag
    std::string_view help;
    std::string_view choices;  ///< "text|json", the only values; empty: any
    Names names = Names::nothing;
};

struct Example {
    std::string_view line;  ///< runs as it stands in the folder of examples
    std::string_view says;
};

/// One verb. Parsing, --help, the man page and completion all read this table and nothing else.
struct Verb {
    std::string_view name;
    std::string_view words;    ///< "RECIPE [OVERRIDE...]"
    std::string_view summary;  ///< one line
    std::string_view about;    ///< a paragraph or more
    std::string_view actions;  ///< "ls|show|copy": the first word is one of these; empty: any
    std::size_t least = 0;     ///< words it needs
    std::size_t most = 0;      ///< words it takes
    std::span<const Option> options;
    std::span<const Names> names;  ///< of its words, the last one for all that follow
    std::span<const Example> examples;
    void (*run)(Command&) = nullptr;
};

std::span<const Verb> verbs();
std::span<const Option> common_options();  ///< of every verb, before it or after it
std::span<const Example> common_examples();

const Verb* find_verb(std::string_view name);  ///< null if there is none

/// The verb's own option, else the common one of that name, else null. `verb` may be null.
const Option* find_option(const Verb* verb, std::string_view name);

std::vector<std::string> verb_names();

}  // namespace stillroom::cli
