#pragma once

#include "engine/base/api.h"
#include "engine/run/observer.h"
#include "engine/run/run_folder.h"

#include <chrono>
#include <functional>
#include <map>
#include <string>

namespace stillroom {

class JsonWriter;

/// Writes what happens into the run folder: a line of events.jsonl each, stage.json and the links
/// into the store. The file is appended to when a run goes on; a torn last line goes first.
class STILLROOM_API Journal final : public Observer {
public:
    Journal(const RunFolder& run, const std::vector<PlannedJob>& jobs);
    ~Journal() override;
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    void run_began(std::size_t stages);  ///< how many of them are chosen
    void run_ended(int exit_code);

    void cached(const StageRef& stage, const PlannedStage& planned) override;
    void reads(const StageRef& stage, const std::vector<std::filesystem::path>& paths) override;
    void waits(const StageRef& stage, const std::string& holder) override;
    void begins(const StageRef& stage, const PlannedStage& planned, const Job& job) override;
    void heard(const StageRef& stage, int rank, const Record& record) override;
    void ended(const StageRef& stage, const PlannedStage& planned, const Made& made) override;
    void failed(const StageRef& stage, const StageEnd& end, bool another_try) override;
    void skipped(const StageRef& stage, const std::string& reason) override;
    void stopping(int signal, bool at_once) override;
    void tick() override;

private:
    /// A stage that runs. Its stage.json says so, and a link leads to its work, once somebody could
    /// have looked: most short ones are over before, and write it once.
    struct Began {
        StageRef stage;
        std::string at;
        std::filesystem::path work;
        std::chrono::steady_clock::time_point moment;
        bool is_linked = false;  ///< or was, by an engine before this one
        bool is_written = false;
    };

    void event(const char* name,
               const char* level,
               const StageRef* stage,
               const std::function<void(JsonWriter&)>& more = {});
    void write_stage(const StageRef& stage,
                     const PlannedStage& planned,
                     const char* status,
                     int exit_code,
                     const std::string& message,
                     const std::map<std::string, std::string>& outputs,
                     const std::map<std::string, std::filesystem::path>& paths);
    void flush();
    void link_work(Began& began);
    void pin(const StageRef& stage,
             const std::string& key,
             const std::map<std::string, std::filesystem::path>& paths);
    const CheckedStage& checked(const StageRef& stage) const;

    const RunFolder& run_;
    const std::vector<PlannedJob>& jobs_;
    int file_ = -1;
    std::string lines_;  ///< of events.jsonl, written before the engine waits for anything
    std::map<std::string, Began> began_;  ///< by the stage's name
};

}  // namespace stillroom
