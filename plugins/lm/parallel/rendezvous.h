#pragma once

#include "engine/plugin/stage.h"
#include "plugins/lm/parallel/vital_signs.h"

#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>
#include <string>

namespace stillroom::lm {

/// Where the ranks of a stage meet; rank 0 keeps it.
struct Rendezvous {
    c10::intrusive_ptr<c10d::Store> store;
    std::string address;  ///< this host's, as those who meet there can reach it

    /// Throws Error (exit 7) if rank 0 cannot be reached in time.
    static Rendezvous open(const Rank& rank, std::chrono::milliseconds deadline);
};

/// A board for signs over a connection of its own: one that nobody waits on.
Board board_at(const Rank& rank, std::chrono::milliseconds deadline);

}  // namespace stillroom::lm
