#pragma once

#include "engine/base/api.h"
#include "engine/run/desk.h"
#include "engine/run/runner.h"

#include <string>
#include <vector>

namespace stillroom {

/// Who wants to know what happens: the journal, the terminal, the links of the run folder. Called
/// on the engine's thread, in the order of events.
class STILLROOM_API Observer {
public:
    virtual ~Observer();
    virtual void cached(const StageRef&, const PlannedStage&) {}
    virtual void reads(const StageRef&, const std::vector<std::filesystem::path>&) {}  ///< hashing
    virtual void waits(const StageRef&, const std::string& /*holder*/) {}
    virtual void begins(const StageRef&, const PlannedStage&, const Job&) {}
    virtual void heard(const StageRef&, int /*rank*/, const Record&) {}
    virtual void ended(const StageRef&, const PlannedStage&, const Made&) {}
    virtual void failed(const StageRef&, const StageEnd&, bool /*another_try*/) {}
    virtual void skipped(const StageRef&, const std::string& /*reason*/) {}
    virtual void stopping(int /*signal*/, bool /*at_once*/) {}
    virtual void tick() {}  ///< at least ten times a second while something runs
};

/// Passes everything on to several.
class STILLROOM_API Observers final : public Observer {
public:
    void add(Observer& one) { all_.push_back(&one); }

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
    std::vector<Observer*> all_;
};

}  // namespace stillroom
