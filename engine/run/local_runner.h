#pragma once

#include "engine/base/api.h"
#include "engine/base/files.h"
#include "engine/run/fork_server.h"
#include "engine/run/process_stage.h"
#include "engine/run/runner.h"
#include "engine/run/shared_workers.h"

#include <memory>

namespace stillroom {

/// A process of its own on this machine for each rank, told its rank by flags.
STILLROOM_API ProcessPlan local_plan(const Job& job, const std::filesystem::path& program);

/// Starts each rank of a stage as a process of its own on this machine. They die with this process.
/// Use it on one thread that lives as long as the process.
class STILLROOM_API LocalRunner final : public Runner {
public:
    /// `program`: the stillroom whose workers are started.
    explicit LocalRunner(std::filesystem::path program = program_path());

    std::unique_ptr<StageRun> start(const Job& job) override;
    void expect(std::size_t brief) override;
    void wait(std::chrono::milliseconds most, int also) override { at_work_->wait(most, also); }

private:
    std::filesystem::path program_;
    std::shared_ptr<AtWork> at_work_;
    std::shared_ptr<ForkServer> forks_;
    std::shared_ptr<SharedWorkers> shared_;
};

}  // namespace stillroom
