#pragma once

#include "engine/base/api.h"
#include "engine/run/desk.h"
#include "engine/run/launch.h"
#include "engine/run/run_folder.h"
#include "engine/store/store.h"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace stillroom {

struct DeskOptions {
    PlanOptions planning;
    Launch launch;
    std::vector<std::filesystem::path> plugins;  ///< where workers find modules
    std::vector<std::string> inject;             ///< faults, "stage:step:fault[:rank]"
    std::string engine;                          ///< version, for manifests
    bool offline = false;
    bool strict = false;     ///< damaged saved work is refused
    bool overwrite = false;  ///< an export may replace what stands in its place
};

/// The disk as execution needs it: the store, and one run folder. While it lives it keeps the
/// folder's `alive` file changing, which workers watch.
class STILLROOM_API StoreDesk final : public Desk {
public:
    StoreDesk(Store& store, const RunFolder& run, DeskOptions options);
    ~StoreDesk() override;

    PlannedStage look(const PlannedJob& job, const StageRef& stage) override;
    void read_sources(const std::vector<std::filesystem::path>& paths) override;
    std::optional<Job> begin(const PlannedJob& job,
                             const StageRef& stage,
                             const PlannedStage& planned,
                             int try_number,
                             std::string& holder) override;
    Made finish(const PlannedJob& job,
                const StageRef& stage,
                const PlannedStage& planned,
                const Heard& heard) override;
    void leave(const StageRef& stage, bool keep_work) override;

private:
    Made publish(const PlannedJob& job,
                 const StageRef& stage,
                 const PlannedStage& planned,
                 const Heard& heard,
                 Work& work);
    Binding bind(const CheckedStage& stage, const Heard& heard);
    std::optional<Binding::Folder> bound_at(const std::filesystem::path& folder);
    void check_inputs(const PlannedJob& job, const StageRef& stage, const PlannedStage& planned);
    std::string digest_of(const std::filesystem::path& path) const;
    void guard_written(const CheckedStage& stage, const Job& job, const Work& work);
    std::map<std::string, std::string> written_paths(const CheckedStage& stage);
    std::size_t index_of(const PlannedJob& job, const std::string& stage);
    bool made_meanwhile(const std::string& key, const std::string& stage, std::string& holder);
    void keep_alive();

    Store& store_;
    const RunFolder& run_;
    DeskOptions options_;
    std::mutex mutex_;  ///< of works_, and of planning: trees index themselves lazily
    std::map<std::string, Work> works_;                       ///< by the stage's name
    std::set<std::string> looked_again_;                      ///< stages, before they began
    std::map<std::filesystem::path, Binding::Folder> bound_;  ///< sources of this run, by folder

    std::map<std::string, std::unordered_map<std::string, std::size_t>> indices_;  ///< of begin()

    std::thread beat_;
    std::mutex beat_mutex_;
    std::condition_variable beat_wakes_;
    bool ending_ = false;
};

}  // namespace stillroom
