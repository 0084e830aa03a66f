#include "engine/recipe/sweep.h"

#include "engine/base/codes.h"
#include "tests/engine/recipe/case_lines.h"

#include <doctest/doctest.h>

using namespace stillroom;
using stillroom::test::CaseLine;

namespace {

using Texts = std::vector<std::string>;

struct Expanded {
    Expanded(const Texts& arguments, const std::string& block, bool multirun = true) {
        std::vector<Argument> words;
        for (const std::string& text : arguments)
            words.push_back({static_cast<int>(words.size()) + 1, text});
        SweepRequest request;
        request.multirun = multirun;
        request.overrides = parse_overrides(sources, words, diagnostics);
        if (block != "-")
            request.block =
                parse_override(sources.add_argument(99, "sweep=" + block), diagnostics)->value;
        request.options = [](const std::string& group) -> std::optional<Texts> {
            if (group != "db")
                return std::nullopt;
            return Texts{"mysql", "postgres_old", "postgresql"};
        };
        if (diagnostics.ok())
            jobs = expand_jobs(request, diagnostics);
    }

    std::string outcome() const {
        if (!diagnostics.ok())
            return "ERR(" + diagnostics.all().front().message + ")";
        std::string out;
        for (const SweepJob& job : jobs) {
            out += out.empty() ? "[" : " [";
            for (const std::string& text : job.texts)
                out += (&text == &job.texts.front() ? "" : " ") + text;
            out += "]";
        }
        return out + (diagnostics.empty() ? "" : ", warning");
    }

    Sources sources;
    Diagnostics diagnostics;
    std::vector<SweepJob> jobs;
};

Texts arguments(const std::string& field) {
    Texts out;
    if (field == "-")
        return out;
    std::size_t at = 0;
    for (std::size_t gap; (gap = field.find("  ", at)) != std::string::npos; at = gap + 2)
        out.push_back(field.substr(at, gap - at));
    out.push_back(field.substr(at));
    return out;
}

}  // namespace

TEST_CASE("every line of sweeps has its jobs") {
    std::set<std::string> ids;
    for (const CaseLine& line : test::read_case_lines("sweep.txt", 4)) {
        CAPTURE(line.fields[0]);
        std::string outcome = Expanded(arguments(line.fields[1]), line.fields[2]).outcome();
        CAPTURE(outcome);
        CHECK_MESSAGE(test::matches(line.fields[3], outcome), line.fields[3]);
        CHECK(ids.insert(line.fields[0]).second);
    }
    for (const std::string& id : test::deviations())
        if (id[0] == 'M' || id[0] == 'S')
            CHECK_MESSAGE(ids.count(id) == 1, id);
}

TEST_CASE("a job is known by its overrides, whatever their order") {
    Expanded one({"a=1", "b=2,3"}, "-"), other({"b=2,3", "a=1"}, "-");
    REQUIRE(one.jobs.size() == 2);
    CHECK(one.jobs[0].id == other.jobs[0].id);
    CHECK(one.jobs[0].id != one.jobs[1].id);
    CHECK(one.jobs[0].id.size() == 12);
    CHECK(one.jobs[0].digest.size() == 64);
    // printf 'a=1\0b=2\0' | sha256sum
    CHECK(one.jobs[0].digest == "a63ebf0f2669af142854f5373339247345532800c6744a7b76b3a805e5265f76");
}

TEST_CASE("a value that a later one replaces is no part of a job's id") {
    Expanded twice({"a=1", "a=2"}, "-"), once({"a=2"}, "-"), other({"a=2", "a=1"}, "-");
    CHECK(twice.jobs[0].id == once.jobs[0].id);
    CHECK(twice.jobs[0].id != other.jobs[0].id);
    Expanded merged({"a={x: 1}", "a={x: 2}"}, "-"), swapped({"a={x: 2}", "a={x: 1}"}, "-");
    CHECK(merged.jobs[0].id != swapped.jobs[0].id);
}

TEST_CASE("a job holds what is fixed too, in command-line order") {
    Expanded sweep({"x=1", "a=1,2", "y=3"}, "{matrix: {m: [5]}}");
    REQUIRE(sweep.jobs.size() == 2);
    Texts spelled;
    for (const Override& override : sweep.jobs[1].overrides)
        spelled.push_back(spell_key(override) + spell_value(*override.value));
    CHECK(spelled == Texts{"m=5", "x=1", "a=2", "y=3"});
    CHECK(sweep.jobs[1].texts == Texts{"m=5", "a=2"});
}

TEST_CASE("a sweep on the command line needs -m, a block does not") {
    Expanded without({"a=1,2", "b=range(3)"}, "-", false);
    CHECK(without.diagnostics.errors() == 2);
    CHECK(without.diagnostics.all()[0].code == code::kNeedsMultirun);
    CHECK(without.jobs.empty());
    CHECK(Expanded({}, "{matrix: {a: [1,2]}}", false).jobs.size() == 2);
}

TEST_CASE("a mistake in a block points at its value") {
    Expanded zip({}, "{zip: [{a: [1,2], b: [x]}]}");
    REQUIRE(zip.diagnostics.errors() == 1);
    const Diagnostic& mistake = zip.diagnostics.all().front();
    CHECK(zip.sources.slice(mistake.where) == "[x]");
    CHECK(zip.sources.slice(mistake.notes[0].where) == "[1,2]");
}

TEST_CASE("glob patterns have stars, question marks and sets") {
    CHECK(glob_matches("*", ""));
    CHECK(glob_matches("a*c*e", "abcde"));
    CHECK_FALSE(glob_matches("a*c*e", "abcd"));
    CHECK(glob_matches("?b", "ab"));
    CHECK_FALSE(glob_matches("?", ""));
    CHECK(glob_matches("[a-c]x", "bx"));
    CHECK_FALSE(glob_matches("[!a-c]x", "bx"));
    CHECK(glob_matches("[!a-c]x", "dx"));
    CHECK(glob_matches("[ab", "[ab"));
    CHECK(glob_matches("[]]", "]"));
    CHECK_FALSE(glob_matches("A", "a"));
    CHECK(glob_matches("*a*a*a*a*a*a*a*b", std::string(2'000, 'a') + "b"));
}
