#pragma once

#include "engine/base/api.h"
#include "engine/run/child.h"
#include "engine/run/meeting_port.h"
#include "engine/run/memory_watch.h"
#include "engine/run/runner.h"
#include "engine/run/stage_end.h"

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stillroom {

class ProcessStage;

/// The stages of one runner that still have processes: what its wait() waits for.
class STILLROOM_API AtWork {
public:
    void wait(std::chrono::milliseconds most, int also) const;

private:
    friend class ProcessStage;
    std::vector<const ProcessStage*> stages_;
};

/// What is started for a stage: a process of its own for each rank, or one launcher for all.
struct ProcessPlan {
    std::vector<std::vector<std::string>> words;  ///< of each process
    bool launcher = false;                        ///< one process holds every rank
    int stop_signal = SIGTERM;                    ///< that a launcher passes on; a worker takes any
    int kill_signal = SIGKILL;  ///< that ends a launcher with its ranks; SIGKILL follows
    double late = 0;  ///< seconds that records of other hosts may need to be seen from here
    std::optional<MeetingPort> port = {};  ///< theirs until the stage has ended

    /// Starts one of them; a child of this process where it is empty.
    std::function<std::unique_ptr<Process>(std::size_t process,
                                           const std::vector<std::string>& words,
                                           const std::filesystem::path& output)>
        start = {};
};

/// The ranks of a stage, followed by their records and the processes that hold them. When one rank
/// fails the others are told to end, and killed where they do not.
class STILLROOM_API ProcessStage final : public StageRun {
public:
    static constexpr auto kMercy = std::chrono::seconds(5);

    ProcessStage(const Job& job, ProcessPlan plan, std::shared_ptr<AtWork> at_work);
    ProcessStage(const ProcessStage&) = delete;
    ProcessStage& operator=(const ProcessStage&) = delete;
    ~ProcessStage() override;

    std::vector<std::pair<int, Record>> records() override;
    std::optional<StageEnd> ended() override;
    void stop() override;
    void kill() override;

private:
    friend class AtWork;
    using Clock = std::chrono::steady_clock;

    struct Followed {
        RecordFollower records;
        RankFacts facts;
        Clock::time_point heard{};
    };

    std::filesystem::path output(std::size_t process) const;
    Process& process_of(std::size_t rank);
    void end_all(Clock::time_point now);
    void listen();
    void hear(Followed& rank, Record record);
    void look_for_silence(Clock::time_point now);
    void look_for_failures(Clock::time_point now);
    bool all_gone();
    bool waits_for_late_records(Clock::time_point now);

    std::string stage_;
    double timeout_;
    ProcessPlan plan_;
    std::filesystem::path folder_;
    std::shared_ptr<AtWork> at_work_;
    MemoryWatch memory_;
    std::vector<std::uint64_t> printed_;  ///< bytes in each output that earlier tries printed
    std::vector<std::unique_ptr<Process>> processes_;
    std::vector<Followed> ranks_;
    std::string plugin_;  ///< digest of the module that the first rank opened
    std::vector<std::pair<int, Record>> heard_;
    Clock::time_point looked_{};
    Clock::time_point listened_{};
    std::optional<Clock::time_point> mercy_ends_;
    std::optional<Clock::time_point> killed_at_;
    std::optional<Clock::time_point> gone_at_;
    bool gone_ = false;
};

/// The words of a worker's command line, less those that say its rank.
STILLROOM_API std::vector<std::string> worker_words(const std::filesystem::path& program,
                                                    const std::filesystem::path& job_file);

/// The rank that a launcher's last words name as the one that it lost; -1: none.
STILLROOM_API int blamed_rank(const std::vector<std::string>& lines);

/// Writes the job where its records are, for workers on any host.
STILLROOM_API std::filesystem::path write_job(const Job& job);

}  // namespace stillroom
