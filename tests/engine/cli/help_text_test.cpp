#include "engine/cli/help_text.h"

#include "engine/base/files.h"
#include "engine/base/text.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

using namespace stillroom;
using namespace stillroom::cli;
namespace fs = std::filesystem;

namespace {

/// A folder that is gone in the end.
class Scratch {
public:
    Scratch() : path_(fs::temp_directory_path() / "stillroom-examples-XXXXXX") {
        std::string name = path_.string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { fs::remove_all(path_); }
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

std::vector<Example> all_examples() {
    std::vector<Example> all(common_examples().begin(), common_examples().end());
    for (const Verb& verb : verbs())
        all.insert(all.end(), verb.examples.begin(), verb.examples.end());
    return all;
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
    for (const Example& example : all_examples()) {
        Scratch scratch;
        fs::path folder = scratch.path() / "samples";
        fs::copy(samples, folder, fs::copy_options::recursive);
        std::string line = fmt::format("cd '{}' && PATH='{}':$PATH {} >../out 2>../err",
                                       folder.string(),
                                       fs::path(program).parent_path().string(),
                                       example.line);
        int status = std::system(line.c_str());
        CHECK_MESSAGE(status == 0, example.line, "\n", read_file(scratch.path() / "err", 1 << 20));
        CHECK_MESSAGE(fs::file_size(scratch.path() / "err") == 0, example.line);
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
