#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

// How the ranks of one start from outside speak with each other: each writes one file of its own,
// whole and by rename, and reads the others'. Names are known beforehand, so that nobody looks for
// what is new, and a file system that shows changes late costs only time.
//
//     <run root>/.agents/<16 hex of what the ranks share>/engine.json     rank 0's
//                                                         rank-0001.json  an agent's
//
// An earlier start may have left files under the same name. So nobody believes a file before it
// repeats the nonce that he drew himself: an agent waits until rank 0 lists its nonce, rank 0 until
// the agent has seen its own.

/// A process that an agent is to start, and what it is to be told.
struct Order {
    std::uint64_t id = 0;
    int rank = 0;                    ///< of the agent
    std::vector<std::string> words;  ///< after the program's path, which is the agent's own
    std::string output;              ///< file of what it prints
    int signals = 0;                 ///< how many it was sent so far
    int signal = 0;                  ///< the newest one
};

/// What the ranks of one start must have in common.
struct RankIdentity {
    std::string program;  ///< the build; empty: not known, never compared
    std::string recipe;   ///< digest of the recipe as composed
};

struct EngineNote {
    std::string nonce;
    std::uint64_t beat = 0;
    std::map<int, std::string> members;  ///< nonce of each agent that came
    std::vector<Order> orders;           ///< one that is gone from here is killed
    bool ended = false;
    int exit_code = 0;
    std::string message;  ///< why it failed
    std::string host;
    long pid = 0;
    double timeout = 600;  ///< seconds that ranks wait for each other
    double beat_seconds = 2;
};

/// What became of an order.
struct OrderState {
    std::uint64_t id = 0;
    bool ended = false;
    int status = 0;
    int signal = 0;
    std::uint64_t peak = 0;
    std::string time;
    std::string error;  ///< why it could not be started
};

struct AgentNote {
    std::string nonce;
    std::string host;
    long pid = 0;
    std::uint64_t beat = 0;
    std::string seen;  ///< the engine's nonce
    bool left = false;
    std::vector<OrderState> orders;
    RankIdentity identity;
};

STILLROOM_API std::string note_text(const EngineNote& note);
STILLROOM_API std::string note_text(const AgentNote& note);

/// Nothing if there is no such file yet, or it is no such note.
STILLROOM_API std::optional<EngineNote> read_engine_note(const std::filesystem::path& file);
STILLROOM_API std::optional<AgentNote> read_agent_note(const std::filesystem::path& file);

STILLROOM_API std::filesystem::path engine_note_file(const std::filesystem::path& folder);
STILLROOM_API std::filesystem::path agent_note_file(const std::filesystem::path& folder, int rank);

/// 32 hex digits that nobody else draws.
STILLROOM_API std::string draw_nonce();

}  // namespace stillroom
