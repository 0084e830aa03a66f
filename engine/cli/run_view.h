#pragma once

#include "engine/cli/terminal.h"
#include "engine/run/execute.h"
#include "engine/run/launch.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::cli {

struct RunViewOptions {
    bool terminal = false;  ///< may be redrawn; else one plain line at a time
    bool color = false;
    bool quiet = false;     ///< nothing but why a run was stopped
    int verbose = 0;        ///< 1: cached stages, what stages log; 2: of every rank, debug too
    double log_every = 30;  ///< seconds between progress lines where nothing is redrawn
    std::function<void(std::string_view)> sink = write_stderr;
    std::function<TerminalSize()> size = view_size;
    std::function<Moment()> now = [] { return std::chrono::steady_clock::now(); };
};

/// What suits this process's stderr; `color` is the --color given, "" for none.
RunViewOptions view_options(std::string_view color);

/// What a person sees of a run. On a terminal a line for each stage at work, redrawn at most ten
/// times a second, below the ended ones; elsewhere a line as a stage begins and ends, and one that
/// says how far a stage is every `log_every` seconds.
class RunView : public Observer {
public:
    /// `launcher` is ranks_line's. Counts the stages in `chosen`, of each job; all, if that is
    /// empty.
    virtual void first_lines(std::string_view launcher,
                             const Launch& launch,
                             const std::filesystem::path& run,
                             const std::filesystem::path& store,
                             const std::vector<std::set<std::size_t>>& chosen = {}) = 0;

    /// Where the results are, or why there are none, and the next command.
    virtual void last_lines(const Outcome& outcome, const std::filesystem::path& run) = 0;
};

/// `jobs` must outlive it.
std::unique_ptr<RunView> make_run_view(const RunViewOptions& options,
                                       const std::vector<PlannedJob>& jobs);

}  // namespace stillroom::cli
