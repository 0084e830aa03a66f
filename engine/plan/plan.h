#pragma once

#include "engine/base/api.h"
#include "engine/plan/graph.h"
#include "engine/plan/key.h"
#include "engine/store/store.h"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace stillroom {

enum class StageState {
    run,     ///< its key is known and not in the store (or it is forced)
    cached,  ///< in the store, or a source that is unchanged
    blocked  ///< its key is not known yet: it waits for another stage or an unread source
};

/// What a stage's `describe` said.
struct Description {
    std::map<std::string, double> cost;  ///< seconds memory_bytes disk_bytes flops parameters
    std::string skeletons;               ///< JSON: {output: {file: content}} of small JSON files
};

struct PlannedStage {
    StageState state = StageState::blocked;
    std::string
        reason;  ///< "after student", "source not hashed yet", "not in the store", "forced", ...
    Span cause;  ///< the line that caused it, where one did
    std::vector<FieldChange> changes;  ///< against the newest entry of this stage, if there is one
    std::string key;                   ///< empty: not known yet
    std::string record;                ///< the key's fields
    KeyParts parts;                    ///< what went into the record; for add_reads after a run
    /// Outside files and folders that were too large to read now: the engine hashes and remembers
    /// them when the run gets here, then asks again.
    std::vector<std::filesystem::path> unread;
    std::string binding_id;                      ///< under which the store remembers a source of it
    std::map<std::string, std::string> outputs;  ///< name -> content digest, of a cached one
    std::map<std::string, std::filesystem::path> paths;  ///< name -> folder, of a cached one
    std::set<std::string> linked;                ///< outputs of a cached one that hold links
    std::string failed;                          ///< of a cached one whose quality gate refused it
    std::string machine;                         ///< of a cached one: the class it was made on
    std::vector<std::filesystem::path> written;  ///< where it writes outside the store
    bool replace = false;  ///< an entry is there that must give way, see Store::publish
    bool damaged = false;  ///< since it is not what its manifest says: the reason
    std::optional<Description> description;
};

/// One recipe's graph with what each stage will do. Stages in the graph's order.
struct Plan {
    Graph graph;
    std::vector<PlannedStage> stages;
};

struct PlanOptions {
    std::set<std::string> force;  ///< stages that run though cached
    Verify verify = Verify::sizes;
    std::string nonce;                                     ///< of this run, for `cache: false`
    std::uint64_t hash_at_most = std::uint64_t{64} << 20;  ///< bytes of an unread source
    unsigned threads = 1;
    bool explain = true;          ///< look up what changed; false: only whether it runs
    std::set<std::string> fresh;  ///< keys that this run has made: --force is content with them
};

/// State, key and reason of one stage whose upstream stages stand in `plan` already. The engine
/// calls it again when a stage before it has finished; `hash_at_most` is then without limit.
STILLROOM_API PlannedStage plan_stage(const Plan& plan,
                                      std::size_t stage,
                                      const Store& store,
                                      const PlanOptions& options,
                                      Diagnostics& diagnostics);

STILLROOM_API Plan make_plan(Graph graph,
                             const Store& store,
                             const PlanOptions& options,
                             Diagnostics& diagnostics);

/// One name for stages that will give the same result, known before any key is: for stages that the
/// jobs of a sweep share. In the graph's order.
STILLROOM_API std::vector<std::string> stage_identities(const Graph& graph);

/// The stage of that name, or those of the sub-recipe of that name: indices into the graph.
STILLROOM_API std::set<std::size_t> stages_named(const Graph& graph, const std::string& name);

/// The stages that decide what `--only` and `--from` leave in: indices into the graph.
STILLROOM_API std::set<std::size_t> stages_from(const Graph& graph, const std::string& name);
STILLROOM_API std::set<std::size_t> stages_up_to(const Graph& graph, const std::string& name);

/// The chosen stages of a graph and, to know their keys, those before them whose artifacts decide
/// them.
struct Part {
    Graph graph;
    std::set<std::size_t> chosen;  ///< indices into `graph`
};
STILLROOM_API Part part_of(Graph graph, const std::set<std::size_t>& chosen);

}  // namespace stillroom
