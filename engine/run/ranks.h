#pragma once

#include "engine/base/api.h"

#include <map>
#include <optional>
#include <string>

namespace stillroom {

using Variables = std::map<std::string, std::string, std::less<>>;

/// This process's environment.
STILLROOM_API Variables environment_variables();

/// What the command line of a worker says of its rank.
struct RankFlags {
    std::optional<std::string> rank, world, local_rank;
    std::optional<std::string> store;  ///< HOST:PORT, or :PORT where the host is found as usual
};

/// Which one of how many processes this is, and who started them.
struct Ranks {
    int rank = 0;
    int world = 1;
    int local = 0;        ///< among those on this host
    int local_world = 1;  ///< how many are on this host
    int node = 0;
    int nodes = 1;
    std::string launcher = "none";  ///< flags, torchrun, environment, mpi, slurm, none
    std::string store;              ///< HOST:PORT of the rendezvous; empty: alone
    bool agent_store = false;       ///< torchrun holds the store already: every rank is a client
    std::string job;                ///< what all ranks of one start share and no other start has
    std::string error_file;         ///< where torchrun wants to read why this rank failed

    bool from_outside() const { return world > 1; }
};

/// Flags win over torchrun's variables (a cluster's own starter sets the same), those over MPI's,
/// those over Slurm's; else this process is alone. Throws Error (exit 2) for what this rank can see
/// by itself: no number, a rank outside of its world, half of a pair, a worker in a batch script
/// that forgot srun. `worker` is false for the engine, which stands alone in a batch script.
STILLROOM_API Ranks read_ranks(const RankFlags& flags, const Variables& variables, bool worker);

/// "launcher: slurm, rank 3 of 16, node 0 of 2, store node01:23417"
STILLROOM_API std::string ranks_line(const Ranks& ranks);

/// The port of a Slurm job, so that all its ranks know it unasked.
STILLROOM_API int port_of_job(unsigned long long job);

/// True for a variable by which a starter tells ranks apart. A process that starts others does not
/// hand them on.
STILLROOM_API bool is_rank_variable(std::string_view name);

}  // namespace stillroom
