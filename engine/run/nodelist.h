#pragma once

#include "engine/base/api.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// No cluster has more; a range that would give more is refused before it is counted out.
inline constexpr std::size_t kMostHosts = 65'536;

/// Hosts as Slurm writes them: "n[1-3,07-09],gpu5" is n1 n2 n3 n07 n08 n09 gpu5, and a name may
/// hold several brackets. Throws Error (exit 2) naming `variable` and what is wrong.
STILLROOM_API std::vector<std::string> read_node_list(std::string_view text,
                                                      std::string_view variable);

/// Tasks of each host as Slurm writes them: "2(x3),1" is 2, 2, 2, 1.
STILLROOM_API std::vector<int> read_task_counts(std::string_view text, std::string_view variable);

}  // namespace stillroom
