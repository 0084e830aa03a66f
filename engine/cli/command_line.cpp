#include "engine/cli/command_line.h"

#include "engine/base/text.h"
#include "engine/cli/terminal.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

// CLI11 sorts the arguments into options and words; the names, the arities and all messages are
// ours. It keeps no places, so that every argument that may hold a value goes in with a mark and
// its number behind it, and the numbers come back with the values. The options of all verbs go into
// one flat application: a name has the same arity in every verb (a test holds the table to that),
// and whether an option belongs to the verb is asked afterwards. That way an option may stand
// before the verb, and one mistake does not hide the next.

namespace stillroom::cli {
namespace {

constexpr char kMark = '\x01';

bool is_name_only(std::string_view argument) {
    bool dashed = argument.size() > 1 && argument[0] == '-';
    return dashed && !(argument.starts_with("--") && argument.find('=') != std::string_view::npos);
}

/// The arguments with their numbers, last one first, as CLI11 takes them.
std::vector<std::string> mark_arguments(int argc, const char* const* argv) {
    std::vector<std::string> marked;
    bool only_words = false;
    for (int i = 1; i < argc; ++i) {
        std::string argument = argv[i];
        bool plain = !only_words && is_name_only(argument);
        only_words = only_words || argument == "--";
        marked.push_back(plain ? argument : fmt::format("{}{}{}", argument, kMark, i));
    }
    std::reverse(marked.begin(), marked.end());
    return marked;
}

std::string cli11_names(const Option& option) {
    return option.letter ? fmt::format("-{},{}", option.letter, option.name)
                         : std::string(option.name);
}

/// Every option once, by name.
std::map<std::string_view, const Option*> all_options() {
    std::map<std::string_view, const Option*> all;
    for (const Option& option : common_options())
        all.emplace(option.name, &option);
    for (const Verb& verb : verbs())
        for (const Option& option : verb.options)
            all.emplace(option.name, &option);
    return all;
}

std::vector<std::string> option_names(const Verb* verb) {
    std::vector<std::string> names;
    for (const Option& option : common_options())
        names.emplace_back(option.name);
    if (verb)
        for (const Option& option : verb->options)
            names.emplace_back(option.name);
    return names;
}

class Reader {
public:
    Reader(int argc, const char* const* argv, Sources& sources, Diagnostics& diagnostics)
        : argc_(argc),
          argv_(argv),
          sources_(sources),
          diagnostics_(diagnostics) {}

    CommandLine read() {
        refuse_values_of_flags();
        CLI::App app;
        app.set_help_flag();
        app.allow_extras();
        std::vector<std::string> words;
        app.add_option("words", words)->expected(0, 1 << 20);
        std::vector<std::pair<const Option*, CLI::Option*>> added;
        for (const auto& [name, option] : all_options())
            added.emplace_back(option,
                               option->value.empty() ? app.add_flag(cli11_names(*option))
                                                     : app.add_option(cli11_names(*option)));
        for (auto& [option, parsed] : added)
            if (!option->value.empty())
                parsed->expected(1)->allow_extra_args(false)->multi_option_policy(
                    CLI::MultiOptionPolicy::TakeAll);
        try {
            app.parse(mark_arguments(argc_, argv_));
        } catch (const CLI::ParseError& failure) {
            refuse(failure);
        }

        CommandLine line;
        for (const std::string& text : app.get_option("words")->results())
            line.words.push_back(unmark(text));
        if (!line.words.empty()) {
            line.verb_word = line.words.front();
            line.words.erase(line.words.begin());
            line.verb = find_verb(line.verb_word.text);
        }
        for (auto& [option, parsed] : added)
            take_option(line, *option, *parsed);
        if (line.has("--help") || line.has("--version"))
            diagnostics_ = {};
        else
            check(line, app.remaining());
        return line;
    }

private:
    Word unmark(const std::string& text) {
        std::size_t at = text.rfind(kMark);
        if (at == std::string::npos)
            return find_word(text, text);
        Word word{text.substr(0, at), std::atoi(text.c_str() + at + 1), {}};
        std::string_view argument = argv_[word.index];
        std::size_t skip = argument.size() - word.text.size();
        word.where = place(word.index, skip, argument.size());
        return word;
    }

    Span place(int index, std::size_t begin, std::size_t end) {
        return sources_.add_argument(index, argv_[index]).span(begin, end);
    }

    /// An argument that went in without a mark: a name, perhaps with its value glued on.
    Word find_word(std::string_view name, const std::string& text) {
        for (int i = 1; i < argc_; ++i) {
            std::string_view argument = argv_[i];
            bool bundled = name.size() == 2 && argument.starts_with("-") &&
                           !argument.starts_with("--") &&
                           argument.find(name[1]) != std::string_view::npos;
            if (argument == name || argument.starts_with(fmt::format("{}=", name)) || bundled)
                return {text, i, place(i, 0, argument.size())};
        }
        return {text, 0, {}};
    }

    /// Where the name of a given option stands: in its value's argument, or in the one before.
    Span name_place(const GivenOption& given) {
        int index = given.value.index;
        if (index <= 0)
            return {};
        std::string_view argument = argv_[index];
        bool before = index > 1 && !argument.starts_with("-");
        if (before)
            --index;
        argument = argv_[index];
        return place(index, 0, std::min(argument.find('='), argument.size()));
    }

    void refuse_values_of_flags() {
        std::map<std::string_view, const Option*> all = all_options();
        for (int i = 1; i < argc_ && std::string_view(argv_[i]) != "--"; ++i) {
            std::string_view argument = argv_[i];
            std::size_t equals = argument.find('=');
            if (!argument.starts_with("--") || equals == std::string_view::npos)
                continue;
            auto found = all.find(argument.substr(0, equals));
            if (found != all.end() && found->second->value.empty())
                diagnostics_.error(0,
                                   place(i, equals, argument.size()),
                                   fmt::format("option '{}' takes no value", found->first));
        }
    }

    void refuse(const CLI::ParseError& failure) {
        if (!diagnostics_.ok())
            return;  // a flag with a value, said already
        std::string_view text = failure.what();
        std::string name(text.substr(0, text.find(':')));
        auto all = all_options();
        auto found = all.find(name);
        if (found == all.end()) {
            diagnostics_.error(0, {}, "the options cannot be read")
                .with_hint("`stillroom --help` lists them");
            return;
        }
        Word word = find_word(name, name);
        if (!word.where && found->second->letter)
            word = find_word(fmt::format("-{}", found->second->letter), name);
        refuse_missing_value(*found->second, word);
    }

    void refuse_missing_value(const Option& option, const Word& word) {
        diagnostics_.error(
            0, word.where, fmt::format("option '{}' needs a value {}", option.name, option.value));
    }

    void take_option(CommandLine& line, const Option& option, const CLI::Option& parsed) {
        std::string name(option.name);
        std::string letter = option.letter ? fmt::format("-{}", option.letter) : name;
        for (const std::string& result : parsed.results()) {
            bool took_an_option = !option.value.empty() && result.starts_with("-") &&
                                  result.find(kMark) == std::string::npos;
            if (took_an_option) {
                refuse_missing_value(option, find_word(name, name));
                continue;
            }
            Word word = option.value.empty() ? find_word(name, name) : unmark(result);
            if (!word.where)
                word = find_word(letter, word.text);
            line.options.push_back({&option, word});
        }
    }

    void check(CommandLine& line, const std::vector<std::string>& unknown) {
        bool has_verb = !line.verb_word.text.empty();
        if (has_verb && !line.verb)
            return refuse_verb(line);  // its options may be those of the verb that was meant
        for (const std::string& text : unknown)
            if (text != "--")
                refuse_option(line, unmark(text));
        if (!line.verb)
            return;
        for (GivenOption& given : line.options) {
            const Option* option = find_option(line.verb, given.option->name);
            if (!option)
                diagnostics_
                    .error(0,
                           name_place(given),
                           fmt::format("`stillroom {}` has no option '{}'",
                                       line.verb->name,
                                       given.option->name))
                    .with_hint(override_hint(sources_.slice(given.value.where))
                                   .value_or(fmt::format("`stillroom {} --help` lists those it has",
                                                         line.verb->name)));
            else
                check_choice(*option, given.value);
            if (option)
                given.option = option;
        }
        check_words(line);
    }

    void check_choice(const Option& option, const Word& value) {
        if (option.choices.empty())
            return;
        std::vector<std::string> choices = split(option.choices, '|');
        if (std::find(choices.begin(), choices.end(), value.text) != choices.end())
            return;
        diagnostics_
            .error(0,
                   value.where,
                   fmt::format(
                       "option '{}' is {}, not '{}'", option.name, join(choices, "or"), value.text))
            .with_hint(did_you_mean(value.text, choices));
    }

    /// Of `--a.b=1`, which other tools take.
    static std::optional<std::string> override_hint(std::string_view text) {
        std::size_t equals = text.find('='), begin = text.find_first_not_of('-');
        if (equals == std::string_view::npos || text.substr(0, equals).find('.') == text.npos)
            return std::nullopt;
        return fmt::format("an override has no '-' before it: {}", text.substr(begin));
    }

    void refuse_option(const CommandLine& line, const Word& word) {
        std::string name = word.text.substr(0, word.text.find('='));
        bool assigns = name != word.text && !name.starts_with("--");
        std::string hint = did_you_mean(name, option_names(line.verb));
        if (auto meant = override_hint(word.text))
            hint = *meant;
        else if (assigns)
            hint = "an override cannot begin with '-'; `~key` deletes one";
        else if (hint.empty())
            hint = fmt::format("`stillroom {}--help` lists the options",
                               line.verb ? fmt::format("{} ", line.verb->name) : "");
        diagnostics_.error(0, word.where, fmt::format("unknown option '{}'", name)).with_hint(hint);
    }

    void refuse_verb(const CommandLine& line) {
        const Word& word = line.verb_word;
        std::string hint = did_you_mean(word.text, verb_names());
        if (hint.empty() && (word.text.ends_with(".yaml") || word.text.ends_with(".yml")))
            hint =
                fmt::format("`stillroom check {}` looks for mistakes in it", shell_word(word.text));
        if (hint.empty())
            hint = "`stillroom --help` lists the verbs";
        diagnostics_.error(0, word.where, fmt::format("unknown verb '{}'", word.text))
            .with_hint(hint);
    }

    void check_words(const CommandLine& line) {
        const Verb& verb = *line.verb;
        if (line.words.size() < verb.least) {
            diagnostics_
                .error(0,
                       line.words.empty() ? line.verb_word.where : line.words.back().where,
                       fmt::format("`stillroom {}` needs {}", verb.name, verb.words))
                .with_hint(fmt::format("for example `{}`", verb.examples.front().line));
            return;
        }
        if (line.words.size() > verb.most)
            diagnostics_
                .error(0,
                       line.words[verb.most].where,
                       fmt::format("'{}' is one word more than `stillroom {}` takes",
                                   line.words[verb.most].text,
                                   verb.name))
                .with_hint(fmt::format("it takes {}", verb.words.empty() ? "none" : verb.words));
        if (verb.actions.empty() || line.words.empty())
            return;
        std::vector<std::string> actions = split(verb.actions, '|');
        const Word& action = line.words.front();
        if (std::find(actions.begin(), actions.end(), action.text) == actions.end())
            diagnostics_
                .error(0,
                       action.where,
                       fmt::format("`stillroom {}` is followed by {}, not '{}'",
                                   verb.name,
                                   join(actions, "or"),
                                   action.text))
                .with_hint(did_you_mean(action.text, actions));
    }

    int argc_;
    const char* const* argv_;
    Sources& sources_;
    Diagnostics& diagnostics_;
};

}  // namespace

bool CommandLine::has(std::string_view option) const {
    return count(option) > 0;
}

std::size_t CommandLine::count(std::string_view option) const {
    return values(option).size();
}

const Word* CommandLine::value(std::string_view option) const {
    const Word* last = nullptr;
    for (const GivenOption& given : options)
        if (given.option->name == option)
            last = &given.value;
    return last;
}

std::vector<Word> CommandLine::values(std::string_view option) const {
    std::vector<Word> found;
    for (const GivenOption& given : options)
        if (given.option->name == option)
            found.push_back(given.value);
    return found;
}

CommandLine read_command_line(int argc,
                              const char* const* argv,
                              Sources& sources,
                              Diagnostics& diagnostics) {
    return Reader(argc, argv, sources, diagnostics).read();
}

}  // namespace stillroom::cli
