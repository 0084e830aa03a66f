#pragma once

#include "engine/base/api.h"
#include "engine/run/record.h"
#include "engine/run/run_folder.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// What became of a run, read from its folder while an engine may be at work in it.
struct RunHistory {
    std::filesystem::path folder;
    RunRequest request;
    std::string state;  ///< running, finished, failed, stopped
    int exit_code = 0;  ///< of one that has ended
    long pid = 0;       ///< of one that runs
    std::string host;
    std::string ended;  ///< RFC 3339 UTC
    std::size_t total = 0;
    std::vector<StageFile> stages;  ///< those that began, in the order in which they began

    std::size_t done() const;  ///< cached ones too
};

/// Throws Error (9) for a folder that is damaged.
STILLROOM_API RunHistory read_history(const std::filesystem::path& folder);

/// The log files of a run, by stage: logs/<stage>/rank-0000.log, all ranks, in the order of the
/// stages in `history`; of one stage where its name is given.
struct RankLog {
    std::string stage;
    int rank = 0;
    std::filesystem::path file;
};
STILLROOM_API std::vector<RankLog> rank_logs(const RunHistory& history, std::string_view stage);

/// A record as a line for people: "14:03:07 student: step 3 of 5"; empty for what is no news.
STILLROOM_API std::string log_line(const RankLog& log, const Record& record);

/// The last value of each metric, "healed.loss", of the first rank of each stage.
STILLROOM_API std::map<std::string, double> last_metrics(const RunHistory& history);

}  // namespace stillroom
