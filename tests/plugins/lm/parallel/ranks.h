#pragma once

#include "engine/run/meeting_port.h"
#include "plugins/lm/parallel/comm.h"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace stillroom::lm {

/// Where nobody listens, and that is given to nobody as long as the port is held.
std::string place_of(const MeetingPort& port);

/// Each rank on a thread of its own, with a connection of its own. What one throws is its exit code
/// and its text.
std::vector<std::string> on_ranks(int world,
                                  std::chrono::milliseconds deadline,
                                  const std::function<void(Comm)>& act,
                                  const std::function<at::Device(int rank)>& device_of = {},
                                  bool shares_memory = true);

}  // namespace stillroom::lm
