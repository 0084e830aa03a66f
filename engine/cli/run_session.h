#pragma once

#include "engine/cli/checked_jobs.h"
#include "engine/cli/command.h"
#include "engine/recipe/configuration.h"
#include "engine/recipe/trust.h"
#include "engine/run/agents.h"
#include "engine/run/execute.h"
#include "engine/run/launch_config.h"
#include "engine/run/run_folder.h"
#include "engine/run/store_desk.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace stillroom::cli {

/// From a request to its results: what `run`, `do` and `resume` share. Mistakes go to the command's
/// diagnostics, and then nothing was started.
class RunSession {
public:
    RunSession(Command& command, const Catalog& catalog, const Request& request, Agents& agents);

    void run(RunRequest asked);

    /// Goes on in a run folder that is there, with the store that `asked` names; a recipe that
    /// changed since is refused (9) unless --accept-changes.
    void resume(const std::filesystem::path& folder, RunRequest asked);

private:
    std::optional<RunFolder> open_given(const Word& place);
    bool prepare(const RunRequest& asked);
    bool check_faults();
    bool plan_stages(CheckedJobs& all, const RunRequest& asked);
    bool ask_stages();
    bool find_ranks();
    void hand_over(const RunFolder& folder);
    NodePtr resolved_recipe() const;
    bool check_changes(const std::filesystem::path& folder);
    bool keeps_going(const RunRequest& asked) const;
    void carry_out(const RunFolder& folder);
    void write_records(const RunFolder& folder);

    Command& command_;
    const Catalog& catalog_;
    Request request_;
    Configuration configuration_;
    std::vector<TrustFlag> trust_;
    Agents& agents_;
    double log_every_ = 0;  ///< seconds
    double grace_ = 0;      ///< seconds
    Ranks ranks_;
    Launch launch_;
    std::optional<Store> store_;
    std::vector<std::filesystem::path> plugins_;
    bool swept_ = false;
    std::vector<Checked> checked_;
    std::vector<PlannedJob> jobs_;
    std::vector<std::set<std::size_t>> chosen_;
    PlanOptions planning_;  ///< of every job, with what --force names in any
    std::unique_ptr<Runner> runner_;
};

}  // namespace stillroom::cli
