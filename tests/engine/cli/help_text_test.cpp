#include "engine/cli/help_text.h"

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/schema/catalog.h"
#include "engine/schema/to_come.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

using namespace stillroom;
using namespace stillroom::cli;
namespace fs = std::filesystem;

namespace {

std::vector<Example> all_examples() {
    std::vector<Example> all(common_examples().begin(), common_examples().end());
    for (const Verb& verb : verbs())
        all.insert(all.end(), verb.examples.begin(), verb.examples.end());
    return all;
}

/// Plans or runs: such a verb tells on stderr how it goes.
bool is_at_work(std::string_view line) {
    for (std::string_view verb : {"plan", "why", "run", "resume", "do", "runs", "store", "verify"})
        if (line.starts_with(fmt::format("stillroom {} ", verb)))
            return true;
    return false;
}

/// `do` of a stage whose code is still to come must say so, until it is there.
bool is_to_come(std::string_view line) {
    std::vector<std::string> words = split(line, ' ');
    for (const std::string& name : stages_to_come(schema_folders()))
        if (words.size() > 2 && words[1] == "do" && words[2] == name)
            return true;
    return false;
}

struct Ended {
    int status = 0;
    std::string err;
};

Ended run_in(const fs::path& folder, const fs::path& scratch, std::string_view line) {
    Ended ended;
    ended.status = std::system(fmt::format("cd '{}' && {} >'{}/out' 2>'{}/err'",
                                           folder.string(),
                                           line,
                                           scratch.string(),
                                           scratch.string())
                                   .c_str());
    ended.err = read_file(scratch / "err", 1 << 20);
    return ended;
}

bool ends_in(const std::string& text, std::span<const Example> examples) {
    std::string wanted;
    for (const Example& example : examples)
        wanted += fmt::format("  {}\n      {}\n", example.line, example.says);
    return text.ends_with(wanted);
}

}  // namespace

TEST_CASE("every help text ends in its two examples") {
    CHECK(ends_in(overview(200), common_examples()));
    for (const Verb& verb : verbs())
        CHECK_MESSAGE(ends_in(verb_help(verb, 200), verb.examples), verb.name);
}

TEST_CASE("every example of every help text runs as it stands") {
    const char* program = std::getenv("STILLROOM_PROGRAM");
    const char* samples = std::getenv("STILLROOM_SAMPLES");
    REQUIRE_MESSAGE(program, "STILLROOM_PROGRAM names the program, STILLROOM_SAMPLES the folder");
    REQUIRE(samples);
    std::string path =
        fmt::format("{}:{}", fs::path(program).parent_path().string(), environment("PATH"));
    ::setenv("PATH", path.c_str(), 1);
    for (const Example& example : all_examples()) {
        TemporaryFolder scratch;
        fs::path folder = scratch.path() / "samples";
        fs::copy(samples, folder, fs::copy_options::recursive);
        bool works = is_at_work(example.line);
        if (works) {
            folder /= "at-work";
            ::setenv("STILLROOM_STORE", (scratch.path() / "store").c_str(), 1);
            Ended before = run_in(folder, scratch.path(), "stillroom run recipe.yaml --quiet");
            REQUIRE_MESSAGE(before.status == 0, before.err);
        }
        Ended ended = run_in(folder, scratch.path(), example.line);
        if (is_to_come(example.line)) {
            CHECK_MESSAGE(ended.status != 0, example.line);
            continue;
        }
        CHECK_MESSAGE(ended.status == 0, example.line, "\n", ended.err);
        if (!works)
            CHECK_MESSAGE(ended.err.empty(), example.line, "\n", ended.err);
        CHECK_MESSAGE(ended.err.find("warning") == std::string::npos, example.line);
    }
}

TEST_CASE("help fits a narrow terminal, but for what must be typed as it stands") {
    for (const Verb& verb : verbs())
        for (const std::string& line : split(verb_help(verb, 20), '\n')) {
            bool is_long_word = trim(line).find(' ') == std::string_view::npos;
            bool is_example = trim(line).starts_with("stillroom ");
            bool fits = display_width(line) <= 20;
            CHECK_MESSAGE((fits || is_long_word || is_example), line);
        }
}

TEST_CASE("the manual page names every verb and every option once") {
    std::string page = man_page();
    CHECK(page.starts_with(".TH STILLROOM 1"));
    for (const Verb& verb : verbs())
        CHECK_MESSAGE(page.find(fmt::format(".SS \"stillroom {}", verb.name)) != std::string::npos,
                      verb.name);
    for (const std::string& line : split(page, '\n'))
        CHECK_FALSE(line.starts_with("'"));
}
