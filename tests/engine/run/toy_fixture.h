#pragma once

#include "engine/run/local_runner.h"
#include "tests/engine/temporary_folder.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace stillroom::test {

using Scratch = TemporaryFolder;

NodePtr json(const std::string& text);

/// A job of the toy plugin with everything in a scratch folder, quick in its beats.
Job toy_job(const Scratch& scratch, const std::string& use, const std::string& settings = "{}");

std::filesystem::path stillroom_program();
std::filesystem::path toy_module();

struct Ran {
    StageEnd end;
    std::vector<std::pair<int, Record>> records;
    double seconds = 0;

    std::vector<std::string> logs(int rank = 0) const;  ///< what they say
    const Record* find(std::string_view event, int rank = 0) const;
};

/// Runs a job to its end with the local runner; as a runner's second one, which is forked, with
/// STILLROOM_TEST_FORKED=1; by a worker that has done another with STILLROOM_TEST_SHARED=1.
/// `during` is called all the time.
Ran run(const Job& job, const std::function<void(StageRun&, const Ran&)>& during = {});

/// The same with any runner.
Ran run_with(Runner& runner,
             const Job& job,
             const std::function<void(StageRun&, const Ran&)>& during = {});

/// Runs a stage that does nothing, after which the runner's workers are forked.
void warm(Runner& runner);

/// The same by a worker that stays, for the stages of that many threads.
void warm_shared(Runner& runner, int threads = 1);

/// Waits for a condition; false if it does not come to be.
bool eventually(const std::function<bool()>& condition, double seconds = 60);

}  // namespace stillroom::test
