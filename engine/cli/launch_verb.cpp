#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/checked_jobs.h"
#include "engine/cli/command.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_verbs.h"
#include "engine/document/scalar.h"
#include "engine/recipe/check.h"
#include "engine/run/launch_script.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace stillroom::cli {
namespace {

constexpr int kMost = 65'536;

int count_of(Command& command, std::string_view option, int least, int otherwise) {
    const Word* word = command.line.value(option);
    if (!word)
        return otherwise;
    const std::string& text = word->text;
    int value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && value >= least &&
        value <= kMost)
        return value;
    command.diagnostics.error(0,
                              word->where,
                              fmt::format("{} is '{}', it is a whole number from {} to {}",
                                          option,
                                          escape_controls(text),
                                          least,
                                          kMost));
    return otherwise;
}

/// As Slurm writes it (04:00:00, 2-12, 90), or as everywhere else here (4h).
std::string time_of(Command& command, std::string otherwise) {
    const Word* word = command.line.value("--time");
    if (!word)
        return otherwise;
    const std::string& text = word->text;
    if (!text.empty() && text.find_first_not_of("0123456789:-") == std::string::npos &&
        text.front() != '-')
        return text;
    std::optional<Decimal> duration = parse_duration(text);
    double seconds = duration ? duration->to_double() : 0;
    if (seconds >= 1 && seconds < 1e9) {
        long whole = std::lround(std::ceil(seconds));
        return fmt::format("{:02}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
    }
    command.diagnostics
        .error(0, word->where, fmt::format("--time is '{}', which is none", escape_controls(text)))
        .with_hint("write 04:00:00 or 4h");
    return otherwise;
}

int number_at(const NodePtr& map, std::string_view key) {
    NodePtr value = map ? map->get(key) : nullptr;
    int number = 0;
    if (value)
        std::from_chars(value->text.data(), value->text.data() + value->text.size(), number);
    return std::clamp(number, 0, kMost);
}

int most_ranks(const Checked& checked) {
    int most = 1;
    for (const CheckedStage& stage : checked.stages)
        most = std::max(most, number_at(stage.engine, "ranks"));
    return most;
}

LaunchScript make_script(Command& command, const Recipe& recipe, const Checked& checked) {
    LaunchScript script;
    script.name = checked.recipe;
    for (const Word& word : command.words_from(1))
        script.words.push_back(word.text);
    const NodePtr& launch = recipe.launch;
    script.nodes = count_of(command, "--nodes", 1, std::max(1, number_at(launch, "nodes")));
    int devices = number_at(launch, "devices") / script.nodes;
    script.devices_per_node = count_of(command, "--gpus-per-node", 0, devices);
    int ranks = most_ranks(checked);
    script.ranks_per_node = number_at(launch, "ranks_per_node");
    if (script.ranks_per_node == 0)
        script.ranks_per_node = (ranks + script.nodes - 1) / script.nodes;
    if (int cores = number_at(launch, "cores"); cores > 0)
        script.cores_per_rank = std::max(1, cores / (script.nodes * script.ranks_per_node));
    script.time = time_of(command, script.time);
    if (script.nodes * script.ranks_per_node < ranks)
        command.diagnostics
            .error(0,
                   {},
                   fmt::format("a stage has {} ranks, {} of {} hold {}",
                               ranks,
                               plural(static_cast<std::size_t>(script.nodes), "node"),
                               script.ranks_per_node,
                               script.nodes * script.ranks_per_node))
            .with_hint("raise --nodes or launch.ranks_per_node");
    return script;
}

}  // namespace

void run_launch(Command& command) {
    if (!command.line.has("--print")) {
        command.diagnostics.error(0, command.line.verb_word.where, "'launch' only prints a script")
            .with_hint("stillroom launch slurm --print RECIPE | sbatch");
        return;
    }
    Catalog catalog(command.sources, schema_folders());
    std::optional<CheckedJob> job = checked_recipe(command, catalog, command.line.words[1], 2);
    if (!job)
        return;
    LaunchScript script = make_script(command, job->recipe, job->checked);
    if (!command.diagnostics.ok())
        return;
    command.text = script_text(script);
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("script"), out.string(command.text);
        out.end_object();
    });
}

}  // namespace stillroom::cli
