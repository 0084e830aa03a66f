#pragma once

#include "engine/cli/command.h"
#include "engine/plan/graph.h"
#include "engine/run/execute.h"
#include "engine/run/run_folder.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace stillroom::cli {

inline constexpr const char* kOneStage = "stage";  ///< what `do` calls it

/// What stages send as text, or sent when what is cached was made: `do` prints all of it on stdout,
/// `run` that of its reports.
class StageTexts final : public Observer {
public:
    explicit StageTexts(const Store& store) : store_(store) {}
    void heard(const StageRef& stage, int rank, const Record& record) override;
    void cached(const StageRef& stage, const PlannedStage& planned) override;
    /// Of all stages, as they came.
    const std::string& text() const { return text_; }
    /// Of those whose report is an output of the run.
    std::string of_reports(const std::vector<PlannedJob>& jobs) const;

private:
    void add(const StageRef& stage, const std::string& text);

    const Store& store_;
    std::string text_;
    std::map<std::pair<std::size_t, std::size_t>, std::string> by_stage_;  // job, stage
};

/// The result of --json, and a problem for each stage that failed, at the place of the setting at
/// fault or of the stage. Sets the exit code.
void report_run(Command& command,
                const RunFolder& folder,
                const std::vector<PlannedJob>& jobs,
                const Outcome& outcome,
                bool swept);

/// The recipe as composed, each value with the place it came from as a comment.
std::string with_origins(const Node& root, const Sources& sources);

}  // namespace stillroom::cli
