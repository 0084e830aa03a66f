#include "engine/run/process_stage.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/host.h"
#include "engine/base/text.h"
#include "engine/base/units.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

/// An engine that was stopped itself heard nothing meanwhile: more than this between two looks is
/// not the worker's silence.
constexpr auto kLongestLook = std::chrono::seconds(10);

/// Between two looks at the files of ranks that are at work: whoever waits is woken far more often
/// than there is something new in each.
constexpr auto kListenPause = std::chrono::milliseconds(20);

/// What a launcher printed names the rank that it lost; else all of its ranks seem to have gone at
/// once.
void blame(std::vector<RankFacts>& ranks) {
    for (const RankFacts& rank : ranks) {
        int named = rank.result ? -1 : blamed_rank(rank.last_words);
        if (named < 0 || static_cast<std::size_t>(named) >= ranks.size())
            continue;
        ranks[static_cast<std::size_t>(named)].blamed = true;
        return;
    }
}

std::uint64_t size_of(const fs::path& file) {
    struct stat status {};
    return ::stat(file.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

}  // namespace

std::vector<std::string> worker_words(const fs::path& program, const fs::path& job_file) {
    return {program.native(), "worker", "--job", job_file.native()};
}

fs::path write_job(const Job& job) {
    fs::path file = job.records / "job.json";
    write_new_record_file(file, job_text(job));
    return file;
}

int blamed_rank(const std::vector<std::string>& lines) {
    // "mpirun noticed that process rank 1 with PID 0 on node n exited on signal 9 (Killed)."
    // "srun: error: node01: task 1: Killed"
    for (const std::string& line : lines)
        for (std::string_view mark : {"process rank ", ": task "}) {
            std::size_t at = line.find(mark);
            if (at == std::string::npos)
                continue;
            const char* begin = line.data() + at + mark.size();
            int rank = -1;
            auto [end, error] = std::from_chars(begin, line.data() + line.size(), rank);
            if (error == std::errc() && end != begin && rank >= 0)
                return rank;
        }
    return -1;
}

void AtWork::wait(std::chrono::milliseconds most, int also) const {
    std::vector<int> descriptors;
    if (also >= 0)
        descriptors.push_back(also);
    for (const ProcessStage* stage : stages_) {
        bool any = false;
        for (const auto& process : stage->processes_)
            if (!process->ended()) {
                descriptors.push_back(process->descriptor());
                any = true;
            }
        if (!any && !stage->gone_at_)
            return;  // it has ended, which nobody has asked for yet
        if (!any)
            most = std::min(most, std::chrono::milliseconds(20));  // late records
    }
    wait_for_any(descriptors, most);
}

ProcessStage::ProcessStage(const Job& job, ProcessPlan plan, std::shared_ptr<AtWork> at_work)
    : stage_(job.stage),
      timeout_(job.timeout),
      plan_(std::move(plan)),
      folder_(job.records),
      at_work_(std::move(at_work)) {
    looked_ = listened_ = Clock::now();
    auto began_at = [&](const fs::path& file) {
        return job.is_new ? std::uint64_t{0} : size_of(file);
    };
    for (int rank = 0; rank < job.ranks; ++rank) {
        fs::path log = folder_ / record_file(rank);
        Followed followed{RecordFollower(log, began_at(log)), {}, looked_};
        followed.facts.rank = rank;
        followed.facts.log = log;
        ranks_.push_back(std::move(followed));
    }
    for (std::size_t i = 0; i < plan_.words.size(); ++i) {
        printed_.push_back(began_at(output(i)));
        if (plan_.start)
            processes_.push_back(plan_.start(i, plan_.words[i], output(i)));
        else
            processes_.push_back(std::make_unique<Child>(plan_.words[i], output(i)));
    }
    at_work_->stages_.push_back(this);
}

ProcessStage::~ProcessStage() {
    std::erase(at_work_->stages_, this);
}

fs::path ProcessStage::output(std::size_t process) const {
    return folder_ / (plan_.launcher ? "launcher.out" : fmt::format("rank-{:04}.out", process));
}

Process& ProcessStage::process_of(std::size_t rank) {
    return *processes_[plan_.launcher ? 0 : rank];
}

void ProcessStage::hear(Followed& rank, Record record) {
    RankFacts& facts = rank.facts;
    rank.heard = Clock::now();
    if (record.event == "start") {
        facts.started = true;
        facts.host = record.host == host_name() ? "" : record.host;
    } else if (record.event == "plugin") {
        if (plugin_.empty())
            plugin_ = record.file.digest;
        if (record.file.digest != plugin_)
            facts.foreign = fmt::format("opened another build of plugin '{}' than the other ranks",
                                        escape_controls(record.name));
    } else if (record.event == "saved") {
        facts.saved = true;
    } else if (record.event == "result") {
        facts.result = record;
    }
    heard_.emplace_back(facts.rank, std::move(record));
}

void ProcessStage::listen() {
    listened_ = Clock::now();
    for (Followed& rank : ranks_)
        for (Record& record : rank.records.poll())
            hear(rank, std::move(record));
}

std::vector<std::pair<int, Record>> ProcessStage::records() {
    if (!gone_ && Clock::now() - listened_ >= kListenPause)
        listen();
    return std::exchange(heard_, {});
}

void ProcessStage::look_for_silence(Clock::time_point now) {
    auto away = now - looked_ - kLongestLook;
    looked_ = now;
    for (std::size_t i = 0; i < ranks_.size(); ++i) {
        Followed& rank = ranks_[i];
        if (away > Clock::duration::zero())
            rank.heard += away;
        double silent = std::chrono::duration<double>(now - rank.heard).count();
        if (silent < timeout_ || rank.facts.result || rank.facts.silent > 0 ||
            process_of(i).ended())
            continue;
        rank.facts.silent = timeout_;
        rank.facts.silent_since = utc_now();
        if (!plan_.launcher)
            process_of(i).kill();
    }
}

/// Once one rank has failed the others cannot end well.
void ProcessStage::look_for_failures(Clock::time_point now) {
    if (mercy_ends_) {
        if (now >= *mercy_ends_)
            end_all(now);
        return;
    }
    bool failed = false;
    for (std::size_t i = 0; i < ranks_.size(); ++i) {
        const RankFacts& facts = ranks_[i].facts;
        failed = failed || facts.silent > 0 || !facts.foreign.empty() ||
                 (facts.result && !facts.result->ok) || (!facts.result && process_of(i).ended());
    }
    if (!failed)
        return;
    mercy_ends_ = now + kMercy;
    for (std::size_t i = 0; i < ranks_.size(); ++i)
        if (!ranks_[i].facts.result && !process_of(i).ended())
            ranks_[i].facts.told_to_end = true;
    for (const auto& process : processes_)
        process->signal(plan_.stop_signal);
}

bool ProcessStage::all_gone() {
    bool gone = true;
    for (std::size_t i = 0; i < processes_.size(); ++i) {
        const std::optional<Exit>& exit = processes_[i]->poll();
        gone = gone && exit;
        if (exit && !plan_.launcher && !ranks_[i].facts.exit) {
            do  // what it wrote last
                for (Record& record : ranks_[i].records.poll())
                    hear(ranks_[i], std::move(record));
            while (ranks_[i].records.more());
            ranks_[i].facts.exit = exit;
        }
    }
    return gone;
}

bool ProcessStage::waits_for_late_records(Clock::time_point now) {
    if (!gone_at_)
        gone_at_ = now;
    bool all_told = std::all_of(
        ranks_.begin(), ranks_.end(), [](const Followed& rank) { return rank.facts.result; });
    return !all_told && now - *gone_at_ < std::chrono::duration<double>(plan_.late);
}

std::optional<StageEnd> ProcessStage::ended() {
    Clock::time_point now = Clock::now();
    if (!gone_) {
        bool gone = all_gone();
        bool all_heard = gone && !plan_.launcher && plan_.late <= 0;
        if (!all_heard && (gone || now - listened_ >= kListenPause))
            listen();
        if (!gone) {
            look_for_silence(now);
            look_for_failures(now);
            if (killed_at_)
                end_all(now);
            return std::nullopt;
        }
        if (plan_.late > 0 && waits_for_late_records(now))
            return std::nullopt;
        gone_ = true;
        gone_at_.reset();
    }
    if (!heard_.empty())
        return std::nullopt;
    std::vector<RankFacts> facts;
    for (std::size_t i = 0; i < ranks_.size(); ++i) {
        RankFacts& rank = ranks_[i].facts;
        std::size_t process = plan_.launcher ? 0 : i;
        if (!rank.result)
            rank.last_words = last_lines(output(process), printed_[process]);
        if (rank.exit && rank.exit->signal == SIGKILL)
            rank.out_of_memory = memory_.explains_kill(rank.exit->peak);
        facts.push_back(rank);
    }
    if (plan_.launcher)
        blame(facts);
    return decide_end(
        stage_, facts, plan_.launcher ? processes_[0]->ended() : std::optional<Exit>());
}

void ProcessStage::stop() {
    for (const auto& process : processes_)
        process->signal(plan_.stop_signal);
}

void ProcessStage::kill() {
    for (Followed& rank : ranks_)
        rank.facts.killed = true;
    end_all(Clock::now());
}

/// At once; but a launcher is first told to end what it started, on whatever host that is.
void ProcessStage::end_all(Clock::time_point now) {
    bool at_once = plan_.kill_signal == SIGKILL || (killed_at_ && now - *killed_at_ >= kMercy);
    for (const auto& process : processes_)
        if (at_once)
            process->kill();
        else if (!killed_at_)
            process->signal(plan_.kill_signal);
    if (!killed_at_)
        killed_at_ = now;
}

}  // namespace stillroom
