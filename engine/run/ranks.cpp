#include "engine/run/ranks.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/nodelist.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

namespace stillroom {
namespace {

constexpr int kMostRanks = 1'000'000;
constexpr unsigned long long kFirstPort = 20'000, kPorts = 10'000;
constexpr int kLastPort = 65'535;

[[noreturn]] void refuse(std::string message, std::string hint) {
    throw Error({}, std::move(message)).hint(std::move(hint)).exit_code(kExitUsage);
}

/// The variables, each read with its name at hand for the message.
class Reader {
public:
    explicit Reader(const Variables& variables) : variables_(variables) {}

    /// Empty where it is not set; a variable set to nothing is as good as not set.
    std::string text(std::string_view name) const {
        auto found = variables_.find(name);
        return found == variables_.end() ? "" : found->second;
    }
    bool has(std::string_view name) const { return !text(name).empty(); }

    int number(std::string_view name, int least) const {
        return parse(name, text(name), least, kMostRanks);
    }
    int number_or(std::string_view name, int least, int otherwise) const {
        return has(name) ? number(name, least) : otherwise;
    }

    static int parse(std::string_view name, std::string_view text, int least, int most) {
        int value = 0;
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error == std::errc::invalid_argument || end != text.data() + text.size())
            refuse(fmt::format("{} is '{}', which is no whole number",
                               name,
                               escape_controls(shorten(text, 40))),
                   "ranks and worlds are counted from 0 and 1 by whoever starts the processes");
        if (error != std::errc() || value < least || value > most)
            refuse(fmt::format(
                       "{} is {}, it lies between {} and {}", name, shorten(text, 40), least, most),
                   "it comes from whoever starts the processes");
        return value;
    }

private:
    const Variables& variables_;
};

std::string address(std::string_view host, std::string_view port) {
    bool bare_v6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
    return bare_v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

/// MASTER_ADDR:MASTER_PORT, or nothing where they are not set.
std::string master(const Reader& read) {
    std::string host = read.text("MASTER_ADDR"), port = read.text("MASTER_PORT");
    if (host.empty() || port.empty())
        return "";
    Reader::parse("MASTER_PORT", port, 1, kLastPort);
    return address(host, port);
}

/// Without these the ranks of a world of several do not find their device.
int local_rank(const Reader& read, std::string_view name, int world) {
    if (!read.has(name) && world > 1)
        refuse(fmt::format("{} is not set, though there are {} ranks", name, world),
               fmt::format("where each host has one rank: export {}=0", name));
    return read.number_or(name, 0, 0);
}

void complete_nodes(Ranks& ranks) {
    ranks.local_world = std::max(1, ranks.local_world);
    if (ranks.nodes == 0)
        ranks.nodes = (ranks.world + ranks.local_world - 1) / ranks.local_world;
}

Ranks from_torchrun(const Reader& read) {
    for (std::string_view name : {"RANK", "WORLD_SIZE"})
        if (!read.has(name))
            refuse(fmt::format(
                       "{} is not set, though {} is", name, name == "RANK" ? "WORLD_SIZE" : "RANK"),
                   "torchrun sets both; unset the other one to run as one process");
    Ranks ranks;
    ranks.launcher = read.has("TORCHELASTIC_RUN_ID") ? "torchrun" : "environment";
    ranks.world = read.number("WORLD_SIZE", 1);
    ranks.rank = read.number("RANK", 0);
    ranks.local = local_rank(read, "LOCAL_RANK", ranks.world);
    ranks.local_world = read.number_or("LOCAL_WORLD_SIZE", 1, 1);
    ranks.node = read.number_or("GROUP_RANK", 0, ranks.rank / ranks.local_world);
    ranks.nodes = read.number_or("GROUP_WORLD_SIZE", 1, 0);
    ranks.store = ranks.world > 1 ? master(read) : "";
    if (ranks.world > 1 && ranks.store.empty())
        refuse(fmt::format("MASTER_ADDR and MASTER_PORT are not set, though there are {} ranks",
                           ranks.world),
               "they name the host and a free port of rank 0");
    ranks.agent_store = read.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
    ranks.job = fmt::format("{} {} {}",
                            read.text("TORCHELASTIC_RUN_ID"),
                            ranks.store,
                            read.text("TORCHELASTIC_RESTART_COUNT"));
    ranks.error_file = read.text("TORCHELASTIC_ERROR_FILE");
    return ranks;
}

bool has_open_mpi(const Reader& read) {
    return read.has("OMPI_COMM_WORLD_RANK") && read.has("OMPI_COMM_WORLD_SIZE");
}

bool has_pmi(const Reader& read) {
    return read.has("PMI_RANK") && read.has("PMI_SIZE");
}

Ranks from_mpi(const Reader& read) {
    Ranks ranks;
    ranks.launcher = "mpi";
    bool open_mpi = has_open_mpi(read);
    ranks.rank = read.number(open_mpi ? "OMPI_COMM_WORLD_RANK" : "PMI_RANK", 0);
    ranks.world = read.number(open_mpi ? "OMPI_COMM_WORLD_SIZE" : "PMI_SIZE", 1);
    if (open_mpi) {
        ranks.local = local_rank(read, "OMPI_COMM_WORLD_LOCAL_RANK", ranks.world);
        ranks.local_world = read.number_or("OMPI_COMM_WORLD_LOCAL_SIZE", 1, 1);
    } else {  // srun --mpi=pmi2 sets PMI's rank and its own local one
        bool slurm = !read.has("MPI_LOCALRANKID") && read.has("SLURM_LOCALID");
        ranks.local = local_rank(read, slurm ? "SLURM_LOCALID" : "MPI_LOCALRANKID", ranks.world);
        ranks.local_world = read.number_or("MPI_LOCALNRANKS", 1, 1);
    }
    ranks.node = ranks.rank / ranks.local_world;  // as ranks are placed unless told otherwise
    ranks.nodes = 0;
    ranks.store = ranks.world > 1 ? master(read) : "";
    for (std::string_view name :
         {"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "PMI_JOBID", "PMI_KVS", "PMI_PORT"})
        if (ranks.job.empty())
            ranks.job = read.text(name);
    if (ranks.job.empty())
        ranks.job = ranks.store;
    return ranks;
}

std::vector<std::string> slurm_hosts(const Reader& read) {
    for (std::string_view name : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"})
        if (read.has(name))
            return read_node_list(read.text(name), name);
    return {};
}

/// How many tasks this task's host has.
int slurm_local_world(const Reader& read, const Ranks& ranks) {
    for (std::string_view name :
         {"SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE", "SLURM_NTASKS_PER_NODE"}) {
        if (!read.has(name))
            continue;
        std::vector<int> counts = read_task_counts(read.text(name), name);
        std::size_t node = static_cast<std::size_t>(ranks.node);
        if (name == "SLURM_NTASKS_PER_NODE")
            return counts[0];
        if (node < counts.size())
            return counts[node];
    }
    return (ranks.world + ranks.nodes - 1) / ranks.nodes;
}

std::string slurm_store(const Reader& read) {
    std::vector<std::string> hosts = slurm_hosts(read);
    std::string id = read.text("SLURM_JOB_ID");
    unsigned long long job = 0;
    auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), job);
    if (hosts.empty() || id.empty() || error != std::errc() || end != id.data() + id.size())
        refuse(fmt::format("SLURM_JOB_NODELIST is '{}' and SLURM_JOB_ID is '{}': where the ranks "
                           "meet cannot be told",
                           escape_controls(shorten(read.text("SLURM_JOB_NODELIST"), 80)),
                           escape_controls(shorten(id, 40))),
               "srun sets both; --store HOST:PORT stands for them");
    return address(hosts[0], std::to_string(port_of_job(job)));
}

Ranks from_slurm(const Reader& read, bool worker, bool store_given) {
    Ranks ranks;
    bool step = read.has("SLURM_STEP_ID") || read.has("SLURM_STEPID");
    bool counted = step && read.has("SLURM_STEP_NUM_TASKS");
    ranks.world = read.number(counted ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS", 1);
    ranks.rank = read.number("SLURM_PROCID", 0);
    if (!step && ranks.world > 1) {
        if (!worker)
            return {};  // a batch script is the engine's place, as one process
        refuse(fmt::format("this is the batch script of a job of {} tasks, not one of its ranks: "
                           "SLURM_STEP_ID is not set",
                           ranks.world),
               fmt::format("start the ranks with: srun --ntasks={} --kill-on-bad-exit=1 --wait=60 "
                           "stillroom worker --job FILE",
                           ranks.world));
    }
    ranks.launcher = "slurm";
    ranks.local = local_rank(read, "SLURM_LOCALID", ranks.world);
    ranks.node = read.number_or("SLURM_NODEID", 0, 0);
    ranks.nodes = read.number_or(
        read.has("SLURM_STEP_NUM_NODES") ? "SLURM_STEP_NUM_NODES" : "SLURM_JOB_NUM_NODES", 1, 1);
    ranks.local_world = slurm_local_world(read, ranks);
    if (ranks.world > 1 && !store_given)
        ranks.store = slurm_store(read);
    ranks.job = fmt::format("{}.{}.{}",
                            read.text("SLURM_JOB_ID"),
                            read.text("SLURM_STEP_ID"),
                            read.text("SLURM_RESTART_COUNT"));
    return ranks;
}

/// HOST:PORT, or :PORT.
void check_store(std::string_view store) {
    std::size_t colon = store.rfind(':');
    if (colon == std::string_view::npos)
        refuse(fmt::format("--store is '{}', which is no HOST:PORT", escape_controls(store)),
               "write --store node01:23417");
    Reader::parse("the port of --store", store.substr(colon + 1), 1, kLastPort);
}

Ranks from_flags(const RankFlags& flags) {
    if (!flags.rank || !flags.world)
        refuse(fmt::format("{} is given without {}",
                           flags.rank ? "--rank" : "--world",
                           flags.rank ? "--world" : "--rank"),
               "write --rank 0 --world 1 for a worker that is alone");
    Ranks ranks;
    ranks.launcher = "flags";
    ranks.world = Reader::parse("--world", *flags.world, 1, kMostRanks);
    ranks.rank = Reader::parse("--rank", *flags.rank, 0, kMostRanks);
    ranks.local = flags.local_rank ? Reader::parse("--local-rank", *flags.local_rank, 0, kMostRanks)
                                   : ranks.rank;
    ranks.local_world = ranks.world;
    return ranks;
}

Ranks from_environment(const Reader& read, bool worker, bool store_given) {
    if (read.has("RANK") || read.has("WORLD_SIZE"))
        return from_torchrun(read);
    if (has_open_mpi(read) || has_pmi(read))
        return from_mpi(read);
    if (read.has("SLURM_PROCID") && read.has("SLURM_NTASKS"))
        return from_slurm(read, worker, store_given);
    if (read.has("PMIX_RANK"))
        refuse("PMIX_RANK is set, but nothing says how many ranks there are",
               "start it with mpirun, or give --rank and --world");
    return {};
}

}  // namespace

Variables environment_variables() {
    Variables variables;
    for (char** entry = ::environ; entry && *entry; entry++) {
        std::string_view text = *entry;
        std::size_t equals = text.find('=');
        if (equals != std::string_view::npos)
            variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return variables;
}

Ranks read_ranks(const RankFlags& flags, const Variables& variables, bool worker) {
    Reader read(variables);
    if (flags.store)
        check_store(*flags.store);
    bool by_flags = flags.rank || flags.world;
    bool whole_store = flags.store && !flags.store->starts_with(':');
    Ranks ranks = by_flags ? from_flags(flags) : from_environment(read, worker, whole_store);
    if (ranks.rank >= ranks.world)
        refuse(fmt::format("rank {} is outside of a world of {}", ranks.rank, ranks.world),
               "ranks count from 0 to the world's size less 1");
    if (ranks.local >= ranks.world)
        refuse(fmt::format("local rank {} is outside of a world of {}", ranks.local, ranks.world),
               "local ranks count from 0 on each host");
    complete_nodes(ranks);
    if (ranks.world == 1)
        return ranks;
    if (whole_store) {
        ranks.store = *flags.store;
        ranks.agent_store = false;
    } else if (flags.store && !ranks.store.empty()) {
        ranks.store = ranks.store.substr(0, ranks.store.rfind(':')) + *flags.store;
        ranks.agent_store = false;
    }
    if (worker && ranks.store.empty())
        refuse(fmt::format("where the {} ranks meet is not said", ranks.world),
               "give --store HOST:PORT, or set MASTER_ADDR and MASTER_PORT");
    if (read.has("STILLROOM_JOB"))
        ranks.job = read.text("STILLROOM_JOB");
    return ranks;
}

std::string ranks_line(const Ranks& ranks) {
    std::string line = fmt::format("launcher: {}, rank {} of {}, node {} of {}",
                                   ranks.launcher,
                                   ranks.rank,
                                   ranks.world,
                                   ranks.node,
                                   ranks.nodes);
    return ranks.store.empty() ? line : line + ", store " + escape_controls(ranks.store);
}

int port_of_job(unsigned long long job) {
    return static_cast<int>(kFirstPort + job % kPorts);
}

bool is_rank_variable(std::string_view name) {
    static constexpr std::string_view kNames[] = {"RANK",
                                                  "WORLD_SIZE",
                                                  "LOCAL_RANK",
                                                  "LOCAL_WORLD_SIZE",
                                                  "MASTER_ADDR",
                                                  "MASTER_PORT",
                                                  "SLURM_PROCID",
                                                  "SLURM_LOCALID",
                                                  "SLURM_NODEID",
                                                  "SLURM_GTIDS",
                                                  "SLURM_TASK_PID",
                                                  "SLURM_STEPID",
                                                  "SLURM_LAUNCH_NODE_IPADDR",
                                                  "SLURM_SRUN_COMM_HOST",
                                                  "SLURM_SRUN_COMM_PORT",
                                                  "PMI_RANK",
                                                  "PMI_SIZE",
                                                  "MPI_LOCALRANKID",
                                                  "MPI_LOCALNRANKS",
                                                  "OMPI_UNIVERSE_SIZE",
                                                  "OMPI_APP_CTX_NUM_PROCS",
                                                  "OMPI_NUM_APP_CTX",
                                                  "OMPI_FIRST_RANKS",
                                                  "OMPI_FILE_LOCATION",
                                                  "OMPI_COMMAND",
                                                  "OMPI_ARGV"};
    static constexpr std::string_view kBegins[] = {"GROUP_",
                                                   "ROLE_",
                                                   "TORCHELASTIC_",
                                                   "OMPI_COMM_WORLD_",
                                                   "OMPI_MCA_ess",
                                                   "OMPI_MCA_orte_",
                                                   "OMPI_MCA_pmix",
                                                   "PMIX_",
                                                   "PMI_",
                                                   "SLURM_STEP_"};
    return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames) ||
           std::any_of(std::begin(kBegins), std::end(kBegins), [&](std::string_view begin) {
               return name.starts_with(begin);
           });
}

}  // namespace stillroom
