#pragma once

#include "engine/base/api.h"
#include "engine/base/diagnostic.h"
#include "engine/base/source.h"
#include "engine/cli/verbs.h"

#include <string>
#include <string_view>
#include <vector>

namespace stillroom::cli {

/// A word of the command line, with its number in argv, so that a mistake in it has a place.
struct Word {
    std::string text;
    int index = 0;
    Span where;  ///< without the name of an option before it, as in --format=json
};

struct GivenOption {
    const Option* option = nullptr;
    Word value;  ///< of a flag its name
};

/// The arguments, sorted into a verb, its words and options. Options may stand anywhere.
struct CommandLine {
    const Verb* verb = nullptr;  ///< null where none was given
    Word verb_word;              ///< empty where none was given; of a mistaken one what was written
    std::vector<Word> words;     ///< after the verb
    std::vector<GivenOption> options;

    bool has(std::string_view option) const;
    std::size_t count(std::string_view option) const;
    const Word* value(std::string_view option) const;  ///< the last one given, or null
    std::vector<Word> values(std::string_view option) const;
};

/// Mistakes in options and words are diagnostics that point into argv. With --help or --version
/// given there are none.
CommandLine read_command_line(int argc,
                              const char* const* argv,
                              Sources& sources,
                              Diagnostics& diagnostics);

}  // namespace stillroom::cli

namespace stillroom {

/// The whole program: reads the arguments, does the verb, prints, and returns the exit code. Never
/// throws.
STILLROOM_API int run_command_line(int argc, char** argv);

}  // namespace stillroom
