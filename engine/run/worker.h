#pragma once

#include "engine/base/api.h"

#include <span>
#include <string>
#include <vector>

namespace stillroom {

/// A worker that could not write its records says so on stderr and ends with this.
inline constexpr int kStatusNoRecords = 74;

/// `stillroom worker --job FILE [--rank R --world W --local-rank L --store HOST:PORT] [--parent
/// PID]`: does one rank of one stage and ends the process. Without --rank the variables of
/// torchrun, MPI or Slurm say which rank this is. With --parent it ends when that process, which
/// started it, does. What happens goes to the job's records; only what happens before there are any
/// is told on stderr, and by the exit status.
///
/// `stillroom worker --describe FILE [--parent PID]`: asks stages what their work would be, see
/// describe_job.h.
///
/// `stillroom worker --shared [--parent PID]`: does one stage after another, see shared_workers.h.
///
/// `stillroom worker --forks`: becomes such a worker as often as it is told to, see fork_server.h.
/// `title` is the memory in which the process's command line stands.
[[noreturn]] STILLROOM_API void run_worker(std::vector<std::string> words, std::span<char> title);

}  // namespace stillroom
