#include "engine/run/local_runner.h"

#include "engine/base/error.h"
#include "engine/run/child.h"
#include "engine/run/packet.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

namespace stillroom {
namespace {

/// A setting says "-".
bool names_stdin(const NodePtr& value) {
    if (!value)
        return false;
    return (value->kind == Kind::string && value->text == "-") ||
           std::any_of(value->items.begin(), value->items.end(), names_stdin) ||
           std::any_of(value->entries.begin(), value->entries.end(), [](const Entry& entry) {
               return names_stdin(entry.value);
           });
}

}  // namespace

LocalRunner::LocalRunner(std::filesystem::path program)
    : program_(std::move(program)),
      at_work_(std::make_shared<AtWork>()),
      forks_(std::make_shared<ForkServer>(program_)),
      shared_(std::make_shared<SharedWorkers>(program_)) {
    // Inherited as ignored, the kernel would throw away how our children ended.
    ::signal(SIGCHLD, SIG_DFL);
}

ProcessPlan local_plan(const Job& job, const std::filesystem::path& program) {
    ProcessPlan plan;
    std::vector<std::string> words = worker_words(program, write_job(job));
    words.insert(words.end(), {"--parent", std::to_string(::getpid())});
    if (job.ranks > 1)
        plan.port.emplace();
    for (int rank = 0; rank < job.ranks; ++rank) {
        std::vector<std::string> mine = words;
        mine.insert(mine.end(),
                    {"--rank",
                     std::to_string(rank),
                     "--world",
                     std::to_string(job.ranks),
                     "--local-rank",
                     std::to_string(rank)});
        if (plan.port)
            mine.insert(mine.end(), {"--store", fmt::format("127.0.0.1:{}", plan.port->number())});
        plan.words.push_back(std::move(mine));
    }
    return plan;
}

void LocalRunner::expect(std::size_t brief) {
    try {
        shared_->expect(brief);
    } catch (const Error&) {  // what is refused now is asked for again when it is needed
    }
}

std::unique_ptr<StageRun> LocalRunner::start(const Job& job) {
    // A worker that read from a terminal would be stopped by it: it is in no foreground.
    bool piped = job.ranks == 1 && names_stdin(job.settings) && ::isatty(STDIN_FILENO) == 0;
    if (!piped && SharedWorkers::take(job)) {
        std::string text = job_text(job);
        if (text.size() <= kLongestPacket) {
            ProcessPlan plan;
            plan.words = {{}};
            plan.start = [&](std::size_t, const auto&, const auto& output) {
                return shared_->start(job, text, output);
            };
            return std::make_unique<ProcessStage>(job, std::move(plan), at_work_);
        }
    }
    ProcessPlan plan = local_plan(job, program_);
    plan.start = [piped, forks = forks_](std::size_t,
                                         const auto& words,
                                         const auto& output) -> std::unique_ptr<Process> {
        if (piped)
            return std::make_unique<Child>(words, output, STDIN_FILENO);
        return forks->start(words, output);
    };
    return std::make_unique<ProcessStage>(job, std::move(plan), at_work_);
}

}  // namespace stillroom
