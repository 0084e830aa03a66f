#pragma once

#include "engine/base/api.h"
#include "engine/plan/plan.h"
#include "engine/run/job.h"
#include "engine/run/record.h"

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace stillroom {

/// One job: the whole run, or one combination of a sweep.
struct PlannedJob {
    std::string id;                      ///< empty unless it is one of a sweep
    std::vector<std::string> overrides;  ///< what it has beside the common ones
    Plan plan;
};

/// A stage of one of the jobs, with what it is called: "student", "4f1d0a3b2c1e/student".
struct StageRef {
    std::size_t job = 0;
    std::size_t stage = 0;
    std::string name;
};

/// What a finished stage left.
struct Made {
    std::map<std::string, std::string> outputs;          ///< name -> content digest
    std::map<std::string, std::filesystem::path> paths;  ///< name -> folder
    std::set<std::string> linked;                        ///< outputs that hold links
    std::string key;
    std::string gate;  ///< why its quality gate refused it; empty: it did not
    double seconds = 0;
    std::vector<std::string> warnings;
};

/// What the ranks of a stage said beside their results, gathered while they ran.
struct Heard {
    struct Bound {
        std::filesystem::path folder;
        std::vector<std::string> files;
    };
    std::map<std::string, Bound> bound;
    std::vector<std::filesystem::path> reads;
    std::vector<FileRecord> hashed;
    std::map<std::string, std::string> decided;
    std::string gate;
    std::string plugin;  ///< name and version
    std::string build;   ///< digest of the plugin's file
    bool saved = false;
    double seconds = 0;
    std::string text;  ///< of the first rank
};

/// What execution needs of the disk. The store and the run folder stand behind it; a test keeps
/// everything in memory.
class STILLROOM_API Desk {
public:
    virtual ~Desk();

    /// State, key and reason as of now; what stands before the stage has ended. Throws Error where
    /// the stage cannot be planned.
    virtual PlannedStage look(const PlannedJob& job, const StageRef& stage) = 0;

    /// Hashes and remembers what look() could not read in passing. Called on another thread.
    virtual void read_sources(const std::vector<std::filesystem::path>& paths) = 0;

    /// The job of a stage that will run, its work folder leased; nothing, with who has it, while
    /// another engine, or a stage of this run with the same key, works on it.
    virtual std::optional<Job> begin(const PlannedJob& job,
                                     const StageRef& stage,
                                     const PlannedStage& planned,
                                     int try_number,
                                     std::string& holder) = 0;

    /// Checks the inputs and publishes what the stage left. Called on another thread, for several
    /// stages at once. Throws Error.
    virtual Made finish(const PlannedJob& job,
                        const StageRef& stage,
                        const PlannedStage& planned,
                        const Heard& heard) = 0;

    /// Lets go of unfinished work: it stays for another try, or goes.
    virtual void leave(const StageRef& stage, bool keep_work) = 0;
};

}  // namespace stillroom
