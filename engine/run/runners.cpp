#include "engine/run/runners.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/host.h"
#include "engine/base/text.h"
#include "engine/run/child.h"
#include "engine/run/local_runner.h"
#include "engine/run/process_stage.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr double kSeenLate = 5;  // seconds after which another host's file is surely seen here
constexpr std::size_t kLaunchers = 10'000;

/// The host at which the ranks of other hosts reach rank 0's.
std::string first_host(const Ranks& ranks) {
    std::string host = ranks.store.substr(0, ranks.store.rfind(':'));
    if (!ranks.store.empty() && !host.empty())
        return host;
    std::string master = environment("MASTER_ADDR");
    return master.empty() ? host_name() : master;
}

/// The launcher by the path at which a shell would find it.
std::string find_launcher(const Launch& launch) {
    const std::string& name = launch.command[0];
    if (name.find('/') != std::string::npos)
        return name;
    for (const std::string& folder : split(environment("PATH"), ':')) {
        fs::path path = fs::path(folder) / name;
        if (!folder.empty() && ::access(path.c_str(), X_OK) == 0)
            return path.string();
    }
    throw Error({}, fmt::format("launch={} needs '{}', which is not on PATH", launch.name, name))
        .hint("launch=local starts workers on this host")
        .exit_code(kExitUsage);
}

/// Runs a launcher for each stage of several ranks.
class LauncherRunner final : public Runner {
public:
    LauncherRunner(const Launch& launch, const Ranks& ranks, fs::path program)
        : launch_(launch),
          ranks_(ranks),
          program_(std::move(program)),
          at_work_(std::make_shared<AtWork>()) {
        launch_.command[0] = find_launcher(launch);
    }

    std::unique_ptr<StageRun> start(const Job& job) override {
        return std::make_unique<ProcessStage>(
            job, job.ranks == 1 ? local_plan(job, program_) : plan(job), at_work_);
    }
    void wait(std::chrono::milliseconds most, int also) override { at_work_->wait(most, also); }

private:
    ProcessPlan plan(const Job& job) {
        std::vector<std::string> worker = worker_words(program_, write_job(job));
        ProcessPlan plan;
        if (std::string store = rendezvous(job, plan.port); !store.empty())
            worker.insert(worker.end(), {"--store", store});
        plan.words = {launch_words(launch_, job.ranks, worker)};
        ask_for_cores(plan.words[0]);
        plan.launcher = true;
        // Both srun and mpirun pass SIGUSR1 on, and take SIGTERM as the order to end every rank.
        plan.stop_signal = SIGUSR1;
        plan.kill_signal = SIGTERM;
        plan.late = kSeenLate;
        return plan;
    }

    /// Stages of one job may run beside each other, and each needs a port of its own.
    std::string rendezvous(const Job& job, std::optional<MeetingPort>& port) {
        if (launch_.kind == Launch::Kind::slurm) {
            std::string id = environment("SLURM_JOB_ID");
            unsigned long long number = 0;
            auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
            if (error != std::errc() || end != id.data() + id.size())
                return "";  // srun makes an allocation of its own, and each rank knows its number
            return fmt::format(":{}", port_of_job(number + started_++ % kLaunchers));
        }
        bool here = launch_shape(launch_, job.ranks).nodes == 1;
        return fmt::format(
            "{}:{}", here ? "127.0.0.1" : first_host(ranks_), port.emplace().number());
    }

    /// srun no longer takes --cpus-per-task from the batch script by itself (since 22.05).
    void ask_for_cores(std::vector<std::string>& words) const {
        std::string cores = environment("SLURM_CPUS_PER_TASK");
        bool said = std::any_of(words.begin(), words.end(), [](const std::string& word) {
            return word == "-c" || word.starts_with("--cpus-per-task");
        });
        bool number = !cores.empty() && cores.find_first_not_of("0123456789") == std::string::npos;
        if (fs::path(words[0]).filename() == "srun" && number && !said)
            words.insert(words.begin() + 1, "--cpus-per-task=" + cores);
    }

    Launch launch_;
    Ranks ranks_;
    fs::path program_;
    std::shared_ptr<AtWork> at_work_;
    std::size_t started_ = 0;
};

/// Rank 0 starts its own share, the agents theirs.
class AgentRunner final : public Runner {
public:
    AgentRunner(const Launch& launch, const Ranks& ranks, Agents& agents, fs::path program)
        : launch_(launch),
          ranks_(ranks),
          agents_(agents),
          program_(std::move(program)),
          at_work_(std::make_shared<AtWork>()) {}

    std::unique_ptr<StageRun> start(const Job& job) override {
        check_ranks(launch_, ranks_, job.stage, job.ranks);
        ProcessPlan plan = local_plan(job, program_);
        if (job.ranks > 1) {
            plan = {};
            plan.start = [this](std::size_t rank,
                                const std::vector<std::string>& words,
                                const fs::path& output) -> std::unique_ptr<Process> {
                if (rank == 0)
                    return std::make_unique<Child>(words, output);
                return agents_.start(static_cast<int>(rank), words, output);
            };
            plan.words = all_words(job, plan.port.emplace().number());
            plan.late = ranks_.nodes > 1 ? kSeenLate : 0;
        }
        return std::make_unique<ProcessStage>(job, std::move(plan), at_work_);
    }
    void wait(std::chrono::milliseconds most, int also) override {
        // What agents tell comes by their files.
        at_work_->wait(std::min(most, std::chrono::milliseconds(20)), also);
    }

private:
    /// An agent adds --parent and --local-rank itself: only it knows them.
    std::vector<std::vector<std::string>> all_words(const Job& job, int port) {
        fs::path file = fs::absolute(write_job(job));
        std::string host = ranks_.nodes == 1 ? "127.0.0.1" : first_host(ranks_);
        std::string store = fmt::format("{}:{}", host, port);
        std::vector<std::vector<std::string>> all;
        for (int rank = 0; rank < job.ranks; rank++) {
            std::vector<std::string> words = worker_words(program_, file);
            words.insert(words.end(),
                         {"--rank",
                          std::to_string(rank),
                          "--world",
                          std::to_string(job.ranks),
                          "--store",
                          store});
            if (rank == 0)
                words.insert(words.end(),
                             {"--local-rank",
                              std::to_string(ranks_.local),
                              "--parent",
                              std::to_string(::getpid())});
            all.push_back(std::move(words));
        }
        return all;
    }

    Launch launch_;
    Ranks ranks_;
    Agents& agents_;
    fs::path program_;
    std::shared_ptr<AtWork> at_work_;
};

}  // namespace

void check_ranks(const Launch& launch, const Ranks& ranks, const std::string& stage, int wanted) {
    if (wanted == 1)
        return;
    try {
        if (launch.kind != Launch::Kind::local) {
            launch_shape(launch, wanted);
            return;
        }
        if (ranks.from_outside() && wanted > ranks.world)
            throw Error(
                {},
                fmt::format(
                    "it wants {} ranks, {} has started {}", wanted, ranks.launcher, ranks.world))
                .hint("start as many ranks as the largest stage has")
                .exit_code(kExitUsage);
    } catch (Error& error) {
        throw Error({}, fmt::format("stage '{}': {}", stage, error.what()))
            .hint(error.hint_text())
            .exit_code(error.exit_code());
    }
}

std::unique_ptr<Runner> make_runner(const Launch& launch,
                                    const Ranks& ranks,
                                    const RunnerOptions& options) {
    fs::path program = options.program.empty() ? program_path() : options.program;
    if (launch.kind != Launch::Kind::local)
        return std::make_unique<LauncherRunner>(launch, ranks, program);
    if (!ranks.from_outside() || !options.agents)
        return std::make_unique<LocalRunner>(program);
    options.agents->meet(options.stop);
    return std::make_unique<AgentRunner>(launch, ranks, *options.agents, program);
}

}  // namespace stillroom
