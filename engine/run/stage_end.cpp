#include "engine/run/stage_end.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/signals.h"
#include "engine/run/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <tuple>

namespace stillroom {
namespace {

constexpr std::size_t kLastBytes = 8192;
constexpr std::size_t kLastLines = 5;
constexpr std::size_t kMostNotes = 8;
constexpr std::size_t kLongestLine = 400;

/// What a crash is older than the moment at which it was seen. A survivor's words about it may be
/// read first.
constexpr double kSeenLate = 0.25;

/// The same of a rank that a launcher lost, which then ends the others before it ends itself.
constexpr double kNoticedLate = 15;

/// Which failures are causes, and which follow from another's.
enum class Weight { cause, follows, forced };

struct Failure {
    Weight weight = Weight::cause;
    double time = 0;
    std::uint64_t order = 0;
    const RankFacts* rank = nullptr;
    StageEnd end;
};

double seconds_of(const std::string& time) {
    std::tm parts{};
    double second = 0;
    if (std::sscanf(time.c_str(),
                    "%d-%d-%dT%d:%d:%lfZ",
                    &parts.tm_year,
                    &parts.tm_mon,
                    &parts.tm_mday,
                    &parts.tm_hour,
                    &parts.tm_min,
                    &second) != 6)
        return 0;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    return static_cast<double>(::timegm(&parts)) + second;
}

bool is_crash(int signal) {
    for (int each : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS})
        if (signal == each)
            return true;
    return false;
}

/// "stage 'student'", "rank 1 of stage 'student'", "rank 1 on node02 of stage 'student'".
std::string subject(const std::string& stage, const RankFacts& rank, std::size_t world) {
    if (world == 1)
        return fmt::format("stage '{}'", stage);
    std::string host = rank.host.empty() ? "" : " on " + rank.host;
    return fmt::format("rank {}{} of stage '{}'", rank.rank, host, stage);
}

void say_last_words(StageEnd& end, const RankFacts& rank) {
    for (const std::string& line : rank.last_words)
        end.notes.push_back("it printed: " + line);
}

/// A stage may say how it failed, by the kinds there are; any other number is a plain failure.
int kind_of_failure(int code) {
    if (code <= 0)
        return kExitInternal;
    return code <= kExitPolicy || code == kExitInternal ? code : kExitStageFailed;
}

StageEnd ended_by_result(const Record& result) {
    StageEnd end;
    end.exit_code = kind_of_failure(result.exit_code);
    end.message = result.text;
    end.key = result.key;
    end.hint = result.hint;
    end.notes = result.list;
    return end;
}

StageEnd ended_by_signal(const std::string& who, const RankFacts& rank) {
    StageEnd end;
    int signal = rank.exit->signal;
    if (signal == SIGKILL && rank.out_of_memory) {
        end.exit_code = kExitResource;
        end.message = who + " was killed: out of memory";
        if (rank.exit->peak > 0)
            end.message += fmt::format(", it had {:.1f} GB", double(rank.exit->peak) / 1e9);
        end.hint = "give the job more memory, or make the stage's batches smaller";
    } else if (is_crash(signal)) {
        end.exit_code = kExitInternal;
        end.message = fmt::format("{} crashed with {}", who, signal_name(signal));
        end.hint = "a bug of the stage's code: its log has what it did last";
    } else {
        end.exit_code = kExitRanks;
        end.message = fmt::format("{} was killed with {}", who, signal_name(signal));
        if (signal == SIGKILL)
            end.hint =
                "not by stillroom: by a person, by a batch system, or by the kernel for "
                "want of memory, which `dmesg` tells";
    }
    say_last_words(end, rank);
    return end;
}

/// What a worker says on stderr before it has records: "error: ..." and "hint: ...".
StageEnd ended_early(const std::string& who, const RankFacts& rank) {
    StageEnd end;
    end.exit_code = rank.exit->status == kStatusNoRecords ? kExitResource : rank.exit->status;
    for (const std::string& line : rank.last_words)
        if (line.starts_with("error: "))
            end.message = line.substr(7);
        else if (line.starts_with("hint: "))
            end.hint = line.substr(6);
    if (end.message.empty()) {
        end.message = fmt::format("{} could not begin, status {}", who, rank.exit->status);
        say_last_words(end, rank);
    }
    return end;
}

StageEnd ended_by_status(const std::string& who, const RankFacts& rank) {
    int status = rank.exit->status;
    bool knows_why = status > 0 && status <= kExitPolicy;
    if (status == kStatusNoRecords || (!rank.started && knows_why))
        return ended_early(who, rank);
    StageEnd end;
    end.exit_code = kExitInternal;
    end.message = fmt::format("{} ended without a result, with status {}", who, status);
    end.hint = "its code ended the process, which a stage must not do";
    say_last_words(end, rank);
    return end;
}

StageEnd ended_in_silence(const std::string& who, const RankFacts& rank) {
    StageEnd end;
    end.exit_code = kExitRanks;
    end.message = fmt::format("{} gave no sign of life for {:g} s", who, rank.silent);
    end.hint = "its process was stopped, or its host hangs or is cut off";
    say_last_words(end, rank);
    return end;
}

StageEnd ended_as_foreign(const std::string& who, const RankFacts& rank) {
    StageEnd end;
    end.exit_code = kExitIntegrity;
    end.message = fmt::format("{} {}", who, rank.foreign);
    end.hint = "every host must have the same plugins";
    return end;
}

StageEnd ended_under_launcher(const std::string& who,
                              const RankFacts& rank,
                              const std::optional<Exit>& launcher) {
    StageEnd end;
    end.exit_code = kExitRanks;
    end.message = who + (rank.started ? " is gone" : " never began");
    if (launcher && launcher->signal != 0)
        end.notes.push_back(
            fmt::format("the launcher was ended by {}", signal_name(launcher->signal)));
    else if (launcher)
        end.notes.push_back(fmt::format("the launcher ended with status {}", launcher->status));
    say_last_words(end, rank);
    return end;
}

std::optional<Failure> failure_of(const std::string& stage,
                                  const RankFacts& rank,
                                  std::size_t world,
                                  const std::optional<Exit>& launcher) {
    if (rank.result && rank.result->ok && rank.foreign.empty())
        return std::nullopt;
    Failure failure;
    failure.rank = &rank;
    std::string who = subject(stage, rank, world);
    if (rank.exit) {
        failure.time = seconds_of(rank.exit->time) - kSeenLate;
        failure.order = rank.exit->order;
    }
    if (!rank.foreign.empty()) {
        failure.end = ended_as_foreign(who, rank);  // before anything that it did with it
    } else if (rank.result) {
        failure.end = ended_by_result(*rank.result);
        failure.time = seconds_of(rank.result->time);
        if (failure.end.exit_code == kExitRanks)
            failure.weight = Weight::follows;
    } else if (rank.killed) {
        failure.end.exit_code = kExitInterrupted;
        failure.end.message = who + " was ended at once";
        failure.weight = Weight::forced;
    } else if (rank.silent > 0) {
        failure.end = ended_in_silence(who, rank);
        failure.time = seconds_of(rank.silent_since);
    } else if (!rank.exit) {
        failure.end = ended_under_launcher(who, rank, launcher);
        if (launcher)  // which ends after all of them
            failure.time = seconds_of(launcher->time);
    } else if (rank.exit->signal != 0) {
        failure.end = ended_by_signal(who, rank);
    } else {
        failure.end = ended_by_status(who, rank);
    }
    if (rank.told_to_end && rank.foreign.empty() && (!rank.result || rank.result->cancelled))
        failure.weight = Weight::forced;
    failure.end.rank = rank.rank;
    failure.end.host = rank.host;
    failure.end.log = rank.log;
    return failure;
}

StageEnd without_failure(const std::string& stage, const std::vector<RankFacts>& ranks) {
    StageEnd end;
    bool cancelled = false, saved = false;
    for (const RankFacts& rank : ranks) {
        cancelled = cancelled || rank.result->cancelled;
        saved = saved || rank.saved;
    }
    end.log = ranks.front().log;
    end.host = ranks.front().host;
    if (!cancelled)
        return end;
    end.exit_code = saved ? kExitStopped : kExitInterrupted;
    end.message = fmt::format(
        "stage '{}' was stopped{}", stage, saved ? " and its work saved" : ", with nothing saved");
    return end;
}

}  // namespace

std::vector<std::string> last_lines(const std::filesystem::path& file, std::uint64_t from) {
    std::vector<std::string> lines;
    int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    struct stat status {};
    if (fd < 0)
        return lines;
    std::string text;
    if (::fstat(fd, &status) == 0 && static_cast<std::uint64_t>(status.st_size) > from) {
        std::uint64_t size = static_cast<std::uint64_t>(status.st_size);
        std::uint64_t begin = std::max(from, size > kLastBytes ? size - kLastBytes : 0);
        text.resize(static_cast<std::size_t>(size - begin));
        ssize_t count = ::pread(fd, text.data(), text.size(), static_cast<off_t>(begin));
        text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    }
    ::close(fd);
    for (const std::string& line : split(text, '\n'))
        if (std::string_view words = trim(line); !words.empty()) {
            while (std::optional<std::size_t> bad = find_invalid_utf8(words))
                words = words.substr(0, *bad);
            lines.push_back(shorten(words, kLongestLine));
        }
    if (lines.size() > kLastLines)
        lines.erase(lines.begin(), lines.end() - kLastLines);
    return lines;
}

StageEnd decide_end(const std::string& stage,
                    const std::vector<RankFacts>& ranks,
                    const std::optional<Exit>& launcher) {
    std::vector<Failure> failures;
    for (const RankFacts& rank : ranks)
        if (std::optional<Failure> failure = failure_of(stage, rank, ranks.size(), launcher))
            failures.push_back(std::move(*failure));
    if (failures.empty())
        return without_failure(stage, ranks);
    std::stable_sort(failures.begin(), failures.end(), [](const Failure& a, const Failure& b) {
        return std::tie(a.weight, a.time, a.order) < std::tie(b.weight, b.time, b.order);
    });
    StageEnd end = std::move(failures.front().end);
    for (std::size_t i = 1; i < failures.size() && end.notes.size() < kMostNotes; ++i)
        if (failures[i].weight != Weight::forced || failures[i].rank->result)
            end.notes.push_back(
                fmt::format("rank {}: {}", failures[i].rank->rank, failures[i].end.message));
    return end;
}

}  // namespace stillroom
