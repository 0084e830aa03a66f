#include "engine/run/launch_config.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/document/document.h"
#include "engine/recipe/search_path.h"
#include "engine/schema/defaults.h"
#include "engine/schema/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

/// Each word may come from another file, by the defaults list of the first one.
void check_trust(const Entry& command,
                 const std::vector<TrustedPath>& trusted,
                 const Sources& sources,
                 Diagnostics& diagnostics) {
    for (const NodePtr& word : command.value->items) {
        const Source* source = sources.find(word->where.begin);
        std::optional<Distrust> distrust =
            source && !source->is_argument()
                ? find_distrust("launch command of", source->name(), trusted)
                : Distrust{"a launch command that stands in no file is not trusted", ""};
        if (!distrust)
            continue;
        diagnostics.error(code::kUntrusted, word->where, distrust->message)
            .at_key("launch.command")
            .with_hint(distrust->hint)
            .exits(kExitPolicy);
        return;
    }
}

double number_of(const NodePtr& node) {
    double value = 0;
    std::from_chars(node->text.data(), node->text.data() + node->text.size(), value);
    return value;
}

int count_of(const NodePtr& node) {
    return static_cast<int>(std::clamp(number_of(node), 0.0, 1e9));
}

/// A number of Slurm's, or 0 where there is none.
int slurm_number(const Variables& variables, std::string_view name) {
    auto found = variables.find(name);
    if (found == variables.end())
        return 0;
    const std::string& text = found->second;
    int value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::max(0, value) : 0;
}

/// Numbers as their units mean them: `memory: 5GiB`, `timeout: 90s`.
NodePtr typed_launch(const NodePtr& launch, Sources& sources, Diagnostics& diagnostics) {
    fs::path file = data_folder() / "schemas/launch.schema.json";
    Document document = read_document(sources, file, {}, diagnostics);
    if (!document.root)
        return nullptr;
    Schema schema = compile(document.root, "launch.schema.json", nullptr, diagnostics);
    return schema ? typed(schema, launch) : nullptr;
}

void read_fields(const Node& root, Launch& launch) {
    if (NodePtr kind = root.get("kind"))
        launch.kind = kind->text == "slurm" ? Launch::Kind::slurm
                      : kind->text == "mpi" ? Launch::Kind::mpi
                                            : Launch::Kind::local;
    if (NodePtr command = root.get("command"))
        for (const NodePtr& word : command->items)
            launch.command.push_back(word->text);
    if (NodePtr nodes = root.get("nodes"))
        launch.nodes = std::max(1, count_of(nodes));
    if (NodePtr per_node = root.get("ranks_per_node"))
        launch.ranks_per_node = count_of(per_node);
    if (NodePtr timeout = root.get("timeout"))
        launch.timeout = number_of(timeout);
}

/// The hosts that are there without being named.
void place_on_nodes(const NodePtr& root, const LaunchFacts& facts, Launch& launch) {
    bool open = !root || !root->find("nodes");
    if (launch.kind == Launch::Kind::slurm && open)
        launch.nodes = std::max(1, slurm_number(facts.variables, "SLURM_JOB_NUM_NODES"));
    if (launch.kind == Launch::Kind::slurm && launch.ranks_per_node == 0)
        launch.ranks_per_node = slurm_number(facts.variables, "SLURM_NTASKS_PER_NODE");
    if (launch.kind == Launch::Kind::local)
        launch.nodes = facts.ranks.from_outside() ? facts.ranks.nodes : 1;
}

void fill_from_machine(const NodePtr& root, const LaunchFacts& facts, Launch& launch) {
    auto given = [&](std::string_view name) { return root ? root->get(name) : nullptr; };
    const Machine& machine = facts.machine;
    // A starter may bind each of its ranks to cores of its own, of which this one sees its share.
    int starters = facts.ranks.from_outside() ? facts.ranks.local_world : 1;
    std::int64_t cores =
        std::min<std::int64_t>(std::int64_t{machine.cores} * starters, machine.all_cores);
    auto all = [&](std::int64_t of_one) {
        return static_cast<int>(std::min<std::int64_t>(of_one * launch.nodes, 1'000'000'000));
    };
    launch.cores = given("cores") ? count_of(given("cores")) : all(cores);
    launch.cores = std::max(1, launch.cores);
    launch.devices = given("devices") ? count_of(given("devices")) : all(machine.devices);
    launch.memory = given("memory")
                        ? static_cast<std::uint64_t>(std::min(number_of(given("memory")), 1e18))
                        : machine.memory * static_cast<std::uint64_t>(launch.nodes);
}

}  // namespace

Launch read_launch(const NodePtr& launch,
                   const LaunchFacts& facts,
                   Sources& sources,
                   Diagnostics& diagnostics) {
    Launch made;
    NodePtr root = launch ? typed_launch(launch, sources, diagnostics) : nullptr;
    if (launch && !root)
        return made;
    if (root) {
        read_fields(*root, made);
        if (const Source* source = sources.find(root->where.begin); source)
            made.name = fs::path(source->name()).stem().string();
        if (const Entry* command = launch->find("command"))
            check_trust(*command, facts.trusted, sources, diagnostics);
    }
    if (facts.ranks.from_outside() && made.kind != Launch::Kind::local)
        diagnostics
            .error(0,
                   launch->where,
                   fmt::format("{} has started {} of this program already, launch={} would start "
                               "their workers once more",
                               facts.ranks.launcher,
                               plural(static_cast<std::size_t>(facts.ranks.world), "rank"),
                               escape_controls(made.name)))
            .at_key("launch.kind")
            .with_hint("leave launch out, or start stillroom once");
    place_on_nodes(root, facts, made);
    fill_from_machine(root, facts, made);
    return made;
}

LaunchFacts launch_facts(const Ranks& ranks, std::vector<TrustedPath> trusted) {
    Variables variables = environment_variables();
    Machine machine = this_machine(variables);
    return {ranks, machine, std::move(variables), std::move(trusted)};
}

}  // namespace stillroom
