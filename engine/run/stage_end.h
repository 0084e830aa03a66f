#pragma once

#include "engine/base/api.h"
#include "engine/run/child.h"
#include "engine/run/runner.h"

#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// What is known of one rank once its process has gone.
struct RankFacts {
    int rank = 0;
    bool started = false;          ///< it wrote its first record
    bool saved = false;            ///< its work can be gone on with
    std::string host;              ///< empty: this one
    std::optional<Record> result;  ///< its last word
    std::optional<Exit> exit;      ///< of its own process; nothing where a launcher holds it
    bool told_to_end = false;      ///< it was sent a signal, since another rank had failed
    bool blamed = false;           ///< the launcher names it as the one that it lost
    bool killed = false;           ///< the engine killed it, since the run ends at once
    double silent = 0;             ///< seconds without a sign, after which it was killed; 0: never
    std::string silent_since;      ///< as a record's time
    std::string foreign;           ///< what it runs that another rank does not; empty: nothing
    bool out_of_memory = false;    ///< the kernel killed for memory meanwhile
    std::vector<std::string> last_words;  ///< the newest lines that it printed
    std::filesystem::path log;
};

/// Of several ranks the first that failed decides; those that fell because of it only add what they
/// saw. `launcher` is how the launcher that held the ranks ended, where there was one.
STILLROOM_API StageEnd decide_end(const std::string& stage,
                                  const std::vector<RankFacts>& ranks,
                                  const std::optional<Exit>& launcher = std::nullopt);

/// The newest lines of a text file from byte `from` on, without empty ones; bounded.
STILLROOM_API std::vector<std::string> last_lines(const std::filesystem::path& file,
                                                  std::uint64_t from);

}  // namespace stillroom
