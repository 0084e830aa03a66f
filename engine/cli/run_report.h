#pragma once

#include "engine/cli/command.h"
#include "engine/plan/graph.h"
#include "engine/run/execute.h"
#include "engine/run/run_folder.h"

#include <string>
#include <vector>

namespace stillroom::cli {

/// What stages send as text, which `do` prints on stdout.
class StageTexts final : public Observer {
public:
    void heard(const StageRef& stage, int rank, const Record& record) override;
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

/// The result of --json, and a problem for each stage that failed, at the place of the setting at
/// fault or of the stage. Sets the exit code.
void report_run(Command& command,
                const RunFolder& folder,
                const std::vector<PlannedJob>& jobs,
                const Outcome& outcome,
                bool swept);

bool has_stage(const Graph& graph, const std::string& name);
void refuse_stage(Command& command, const Graph& graph, const std::string& name);

/// The recipe as composed, each value with the place it came from as a comment.
std::string with_origins(const Node& root, const Sources& sources);

}  // namespace stillroom::cli
