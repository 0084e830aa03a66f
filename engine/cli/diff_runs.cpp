#include "engine/cli/diff_runs.h"

#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/origins.h"
#include "engine/cli/recipe_input.h"
#include "engine/run/run_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLargestRecipe = std::size_t{16} << 20;
constexpr std::size_t kWidest = 200;

/// Values by their keys, as JSON text.
using Facts = std::map<std::string, std::string>;

/// One of the four parts of what is compared, in both.
struct Part {
    const char* name;
    Facts a, b;
};

std::string json_of(const Node& value) {
    JsonWriter out;
    write_json(out, value);
    return out.take();
}

Facts leaves_of(const Node& root) {
    Facts facts;
    for_each_leaf(
        root, [&](const std::string& path, const Node& value) { facts[path] = json_of(value); });
    return facts;
}

bool is_run_folder(const std::string& text) {
    std::error_code ignored;
    return fs::is_directory(text, ignored) && fs::exists(fs::path(text) / "manifest.json", ignored);
}

/// A run where no recipe of that name is meant.
bool names_run(const Command& command, const Word& word) {
    std::error_code ignored;
    if (is_run_folder(word.text))
        return true;
    if (fs::exists(recipe_path(command, word), ignored))
        return false;
    try {
        find_run(word.text);
        return true;
    } catch (const Error&) {
        return false;
    }
}

Facts resolved_recipe(const RunHistory& run) {
    Sources sources;
    Diagnostics ignored;
    const Source& source = sources.add(
        "recipe.resolved.yaml", read_file(run.folder / "recipe.resolved.yaml", kLargestRecipe));
    NodePtr root = read_yaml(source, Limits(), ignored).root;
    return root ? leaves_of(*root) : Facts();
}

Facts versions_of(const RunHistory& run) {
    return {{"stillroom", json_quoted(run.request.engine)},
            {"machine", json_quoted(run.request.machine)},
            {"launch", json_quoted(run.request.launch)},
            {"cores", std::to_string(run.request.cores)}};
}

/// What went into each stage, by content.
Facts inputs_of(const RunHistory& run) {
    Facts facts;
    for (const StageFile& stage : run.stages)
        for (const auto& [name, digest] : stage.inputs)
            facts[stage.name + "." + name] = json_quoted(digest);
    return facts;
}

Facts metrics_of(const RunHistory& run) {
    Facts facts;
    for (const auto& [name, value] : last_metrics(run)) {
        JsonWriter out;
        out.number(value);
        facts[name] = out.take();
    }
    return facts;
}

std::vector<Part> compare_runs(const Word& a, const Word& b) {
    RunHistory first = read_history(find_run(a.text));
    RunHistory second = read_history(find_run(b.text));
    return {{"recipe", resolved_recipe(first), resolved_recipe(second)},
            {"versions", versions_of(first), versions_of(second)},
            {"inputs", inputs_of(first), inputs_of(second)},
            {"metrics", metrics_of(first), metrics_of(second)}};
}

struct Difference {
    std::string key, a, b;  ///< JSON text; empty: not there
};

std::vector<Difference> differences(const Part& part) {
    std::set<std::string> keys;
    for (const Facts* facts : {&part.a, &part.b})
        for (const auto& [key, value] : *facts)
            keys.insert(key);
    auto value_of = [](const Facts& facts, const std::string& key) {
        auto found = facts.find(key);
        return found == facts.end() ? std::string() : found->second;
    };
    std::vector<Difference> found;
    for (const std::string& key : keys) {
        Difference one{key, value_of(part.a, key), value_of(part.b, key)};
        if (one.a != one.b)
            found.push_back(std::move(one));
    }
    return found;
}

}  // namespace

bool are_runs(const Command& command) {
    const std::vector<Word>& words = command.line.words;
    return std::all_of(
        words.begin(), words.end(), [&](const Word& word) { return names_run(command, word); });
}

void diff_runs(Command& command) {
    std::vector<Part> parts = compare_runs(command.line.words[0], command.line.words[1]);
    command.write_result([&](JsonWriter& out) {
        auto value = [&](const char* name, const std::string& json) {
            out.key(name), json.empty() ? out.null() : out.raw(json);
        };
        out.begin_object();
        for (const Part& part : parts) {
            std::vector<Difference> some = differences(part);
            if (!some.empty())
                command.text += fmt::format("{}\n", part.name);
            out.key(part.name), out.begin_array();
            for (const Difference& one : some) {
                for (auto [sign, text] : {std::pair{'-', &one.a}, std::pair{'+', &one.b}})
                    if (!text->empty())
                        command.text += fmt::format("  {} {}: {}\n",
                                                    sign,
                                                    escape_controls(one.key),
                                                    escape_controls(shorten(*text, kWidest)));
                out.begin_object();
                out.key("key"), out.string(one.key);
                value("a", one.a);
                value("b", one.b);
                out.end_object();
            }
            out.end_array();
        }
        out.end_object();
    });
}

}  // namespace stillroom::cli
