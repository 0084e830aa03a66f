#include "engine/run/observer.h"

namespace stillroom {

Desk::~Desk() = default;
Observer::~Observer() = default;

void Observers::cached(const StageRef& stage, const PlannedStage& planned) {
    for (Observer* one : all_)
        one->cached(stage, planned);
}

void Observers::reads(const StageRef& stage, const std::vector<std::filesystem::path>& paths) {
    for (Observer* one : all_)
        one->reads(stage, paths);
}

void Observers::waits(const StageRef& stage, const std::string& holder) {
    for (Observer* one : all_)
        one->waits(stage, holder);
}

void Observers::begins(const StageRef& stage, const PlannedStage& planned, const Job& job) {
    for (Observer* one : all_)
        one->begins(stage, planned, job);
}

void Observers::heard(const StageRef& stage, int rank, const Record& record) {
    for (Observer* one : all_)
        one->heard(stage, rank, record);
}

void Observers::ended(const StageRef& stage, const PlannedStage& planned, const Made& made) {
    for (Observer* one : all_)
        one->ended(stage, planned, made);
}

void Observers::failed(const StageRef& stage, const StageEnd& end, bool another_try) {
    for (Observer* one : all_)
        one->failed(stage, end, another_try);
}

void Observers::skipped(const StageRef& stage, const std::string& reason) {
    for (Observer* one : all_)
        one->skipped(stage, reason);
}

void Observers::stopping(int signal, bool at_once) {
    for (Observer* one : all_)
        one->stopping(signal, at_once);
}

void Observers::tick() {
    for (Observer* one : all_)
        one->tick();
}

}  // namespace stillroom
