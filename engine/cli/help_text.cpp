#include "engine/cli/help_text.h"

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/build_info.h"
#include "engine/cli/build_revision.h"
#include "engine/cli/terminal.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::cli {
namespace {

constexpr std::string_view kAbout =
    "Declarative recipes that make language models smaller. A recipe is a YAML file; stillroom "
    "reads, "
    "composes, checks and explains it in milliseconds.";
constexpr std::string_view kOverrides =
    "An OVERRIDE changes one value or choice: key=value, +key=value adds, ++key=value adds or "
    "changes, "
    "~key deletes, group=option chooses; key+=[..] key^=[..] key-=[..] key:={..} work on lists and "
    "maps.";

std::string option_name(const Option& option) {
    std::string name;
    if (option.letter)
        name = fmt::format("-{}, ", option.letter);
    name += option.name;
    if (!option.value.empty())
        name += fmt::format(" {}", option.value);
    return name;
}

std::string option_rows(std::span<const Option> options, int width) {
    int left = 0;
    for (const Option& option : options)
        left = std::max(left, display_width(option_name(option)));
    TwoColumns rows(width, std::min(left, 26));
    std::string out;
    for (const Option& option : options)
        out += rows.row(option_name(option), option.help);
    return out;
}

std::string example_rows(std::span<const Example> examples, int width) {
    std::string out = "\nExamples\n";
    for (const Example& example : examples)
        out += fmt::format("  {}\n      {}\n", example.line, wrap(example.says, width - 6, 6));
    return out;
}

std::string usage(const Verb& verb) {
    return fmt::format(
        "stillroom {}{}{} [OPTION...]", verb.name, verb.words.empty() ? "" : " ", verb.words);
}

bool takes_overrides(const Verb& verb) {
    return std::find(verb.names.begin(), verb.names.end(), Names::override_) != verb.names.end();
}

/// Roff reads a backslash, a leading dot and a leading quote as its own.
std::string roff(std::string_view text) {
    std::string out;
    for (char c : text) {
        bool starts_line = out.empty() || out.back() == '\n';
        if (starts_line && (c == '.' || c == '\''))
            out += "\\&";
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else
            out += c;
    }
    return out;
}

std::string roff_options(std::span<const Option> options) {
    std::string out;
    for (const Option& option : options)
        out += fmt::format(".TP\n.B {}\n{}\n", roff(option_name(option)), roff(option.help));
    return out;
}

std::string roff_examples(std::span<const Example> examples) {
    std::string out;
    for (const Example& example : examples)
        out += fmt::format(".TP\n{}\n{}\n", roff(example.line), roff(example.says));
    return out;
}

}  // namespace

std::string overview(int width) {
    std::string out = "stillroom VERB [WORD...] [OPTION...]\n\n" + wrap(kAbout, width) + "\n";
    int left = 0;
    for (const Verb& verb : verbs())
        left = std::max(left, static_cast<int>(verb.name.size()));
    out += "\nVerbs\n";
    TwoColumns rows(width, left);
    for (const Verb& verb : verbs())
        out += rows.row(verb.name, verb.summary);
    out += "\n" + wrap(kOverrides, width) + "\n";
    out += "\nCommon options\n" + option_rows(common_options(), width);
    out += "\n" + wrap("`stillroom VERB --help` says more about each.", width) + "\n";
    return out + example_rows(common_examples(), width);
}

std::string verb_help(const Verb& verb, int width) {
    std::string out = wrap(usage(verb), width, 4) + "\n\n" + wrap(verb.about, width) + "\n";
    if (takes_overrides(verb))
        out += "\n" + wrap(kOverrides, width) + "\n";
    if (!verb.options.empty())
        out += "\nOptions\n" + option_rows(verb.options, width);
    std::string common;
    for (const Option& option : common_options())
        if (find_option(&verb, option.name) == &option)
            common += fmt::format("{}{}", common.empty() ? "" : " ", option.name);
    out += "\nCommon options\n  " + wrap(common, width - 2, 2) + "\n";
    return out + example_rows(verb.examples, width);
}

std::string version_text() {
    std::string features = kFeatures.empty() ? "" : fmt::format("\nfeatures: {}", kFeatures);
    return fmt::format("stillroom {} ({})\nLibTorch: {}\nCUDA: {}{}\n",
                       kVersion,
                       kRevision,
                       kLibTorch.empty() ? "none" : kLibTorch,
                       kCuda.empty() ? "none" : kCuda,
                       features);
}

std::string version_json() {
    JsonWriter out;
    auto text = [&](std::string_view name, std::string_view value) {
        out.key(name), value.empty() ? out.null() : out.string(value);
    };
    out.begin_object();
    text("version", kVersion);
    text("revision", kRevision);
    text("libtorch", kLibTorch);
    text("cuda", kCuda);
    out.key("features"), out.begin_array();
    for (const std::string& feature : split(kFeatures, ' '))
        if (!feature.empty())
            out.string(feature);
    out.end_array();
    out.end_object();
    return out.take();
}

std::string man_page() {
    std::string out = fmt::format(".TH STILLROOM 1 \"\" \"stillroom {}\"\n", kVersion);
    out += ".SH NAME\nstillroom \\- recipes that make language models smaller\n";
    out += ".SH SYNOPSIS\n.B stillroom\nVERB [WORD...] [OPTION...]\n";
    out += fmt::format(".SH DESCRIPTION\n{}\n.PP\n{}\n", roff(kAbout), roff(kOverrides));
    out += ".SH VERBS\n";
    for (const Verb& verb : verbs()) {
        out += fmt::format(".SS \"{}\"\n{}\n", roff(usage(verb)), roff(verb.about));
        out += roff_options(verb.options);
        out += ".PP\nExamples:\n" + roff_examples(verb.examples);
    }
    out += ".SH COMMON OPTIONS\n" + roff_options(common_options());
    out += ".SH EXIT STATUS\n";
    constexpr std::pair<int, std::string_view> kCodes[] = {
        {0, "all went well; warnings are allowed"},
        {2, "a mistake in the arguments, a recipe, an override or a schema"},
        {4, "disk or memory would not suffice, or the output could not be written"},
        {5, "a remote part cannot be reached"},
        {9, "a digest or a lock does not match"},
        {10, "refused by policy, such as a variable off the list of allowed ones"},
        {70, "a bug of stillroom"}};
    for (auto [code, meaning] : kCodes)
        out += fmt::format(".TP\n.B {}\n{}\n", code, roff(meaning));
    out += ".SH ENVIRONMENT\n";
    constexpr std::pair<std::string_view, std::string_view> kVariables[] = {
        {"STILLROOM_RECIPE_PATH", "folders of groups and recipes, with colons between"},
        {"STILLROOM_SCHEMA_PATH", "folders of stage schemas, with colons between"},
        {"NO_COLOR", "not empty: no colour"},
        {"XDG_CONFIG_HOME", "where the user's configuration and recipes lie"}};
    for (auto [name, meaning] : kVariables)
        out += fmt::format(".TP\n.B {}\n{}\n", name, roff(meaning));
    return out;
}

}  // namespace stillroom::cli
