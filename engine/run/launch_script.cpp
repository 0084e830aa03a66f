#include "engine/run/launch_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace stillroom {
namespace {

constexpr std::string_view kPlain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,@%+-";

bool chooses_launch(const std::string& word) {
    return word.starts_with("launch=");
}

/// For the names of folders and jobs.
std::string plain_name(const std::string& name) {
    std::string plain;
    for (char c : name)
        plain += kPlain.find(c) != std::string_view::npos && c != '/' && c != '%' ? c : '-';
    return plain.empty() ? "recipe" : plain;
}

}  // namespace

std::string shell_quoted(const std::string& word) {
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos)
        return word;
    std::string quoted = "'";
    for (char c : word)
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

std::string script_text(const LaunchScript& script) {
    std::string gpus = script.devices_per_node == 0
                           ? ""
                           : fmt::format(" --gpus-per-node={}", script.devices_per_node);
    std::string words;
    for (const std::string& word : script.words)
        words += " " + shell_quoted(word);
    if (std::none_of(script.words.begin(), script.words.end(), chooses_launch))
        words += " launch=slurm";
    std::string name = plain_name(script.name);
    return fmt::format(
        R"(#!/bin/bash
#SBATCH --job-name={0}
#SBATCH --nodes={1} --ntasks-per-node={2}{3} --cpus-per-task={4} --time={5}
#SBATCH --signal=B:USR1@180 --requeue --open-mode=append --output=logs/%x-%j.out
# Partition and account are this site's: add them above. Slurm does not make the folder logs.
# The run's folder must be seen by every node; after a requeue the same run goes on in it.
RUN_DIR=${{RUN_DIR:-runs/{0}/slurm-$SLURM_JOB_ID}}
# The engine runs here once; it starts srun for each stage of several ranks.
stillroom run{6} --run-dir "$RUN_DIR" --resume auto & pid=$!
trap 'kill -USR1 $pid' USR1 TERM
wait $pid; rc=$?; while kill -0 $pid 2>/dev/null; do wait $pid; rc=$?; done
[ $rc -eq 75 ] && scontrol requeue "$SLURM_JOB_ID"
exit $rc
)",
        name,
        script.nodes,
        script.ranks_per_node,
        gpus,
        script.cores_per_rank,
        script.time,
        words);
}

}  // namespace stillroom
