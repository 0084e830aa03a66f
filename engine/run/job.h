#pragma once

#include "engine/base/api.h"
#include "engine/document/node.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace stillroom {

inline constexpr int kMostRanks = 1 << 16;

/// What a worker is told: a JSON file, the same for every rank of a stage. Everything that differs
/// between ranks comes by flags or environment variables.
struct Job {
    std::string run;                 ///< id of the run, for the log
    std::string stage;               ///< "first/student"
    std::string use;                 ///< "prune.minitron"
    NodePtr settings;                ///< checked, typed, defaults filled in
    std::vector<std::string> given;  ///< dotted keys of settings that somebody wrote
    std::string recipe = "[]";       ///< see RunContext::recipe
    std::map<std::string, std::vector<std::filesystem::path>> inputs;  ///< by port
    std::map<std::string, std::filesystem::path> outputs;              ///< by name
    std::filesystem::path work;
    std::filesystem::path tensorboard;
    std::filesystem::path records;  ///< folder of rank-0000.log, rank-0001.log, ...
    std::filesystem::path cancel;   ///< a file whose appearance asks to stop at a safe point
    std::filesystem::path alive;    ///< a file whose content the engine changes with every beat
    std::vector<std::filesystem::path>
        plugins;  ///< modules and folders that may be opened, in order
    std::map<std::string, std::string> environment;  ///< `env` of the stage
    std::string device = "auto";
    int ranks = 1;
    int threads = 1;  ///< of each rank
    int try_number = 1;
    double timeout = 600;  ///< seconds that ranks wait for each other, and the engine for a sign
    double beat = 2;       ///< seconds between signs of life, of the engine and of each rank
    bool offline = false;
    bool strict = false;              ///< see RunContext::strict
    std::vector<std::string> inject;  ///< faults "step:fault[:rank]", see inject.h

    // Of the engine alone, not told to the worker.
    bool shares_process = false;  ///< may be done where others were, see shared_workers.h
    bool is_new = false;          ///< nothing of an earlier try or run is in its folders
};

/// Whether an earlier try or run left something in job.work to go on with.
STILLROOM_API bool has_saved_work(const Job& job);

STILLROOM_API std::string job_text(const Job& job);

/// Throws Error: exit 2 if it cannot be read, 9 if it is not what job_text writes.
STILLROOM_API Job read_job(const std::filesystem::path& file);

/// The same of a text that came another way.
STILLROOM_API Job parse_job(std::string text, const std::filesystem::path& told);

}  // namespace stillroom
