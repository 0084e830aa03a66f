#pragma once

#include "engine/base/api.h"
#include "engine/store/store.h"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// How a run was asked for: what `resume` needs to ask for it again. manifest.json.
struct RunRequest {
    std::string id;                      ///< "20261121T145233-1a2b"
    std::string recipe;                  ///< its name
    std::string verb;                    ///< "run" or "do"
    std::string subject;                 ///< the recipe's path, or the stage type of `do`
    std::filesystem::path directory;     ///< where the command was given
    std::vector<std::string> arguments;  ///< overrides
    std::vector<std::string> config_dirs;
    std::vector<std::string> only, from, force;
    bool multirun = false;
    bool keep_going = false;
    bool fail_fast = false;
    std::string created;  ///< RFC 3339 UTC
    std::string engine;   ///< version
    std::string machine;  ///< class
    std::string launch;
    int cores = 0;
    std::filesystem::path store;
};

/// The folder of one run, held by one engine at a time:
///
///     recipe.yaml  recipe.resolved.yaml  overrides.txt  plan.json  manifest.json
///     events.jsonl  logs/<stage>/rank-0000.log  stages/<stage>/{stage.json, <output> -> store}
class STILLROOM_API RunFolder {
public:
    /// A new one below root/<recipe>/, with root/<recipe>/latest pointing to it.
    static RunFolder create(const std::filesystem::path& root, RunRequest request);

    /// At a place of the user's own choice; made if it is not there.
    static RunFolder create_at(const std::filesystem::path& folder, RunRequest request);

    /// One that is there, to go on with. Throws Error (9) within a second if an engine is at work
    /// in it.
    static RunFolder open(const std::filesystem::path& folder);

    const std::filesystem::path& path() const { return path_; }
    const RunRequest& request() const { return request_; }

    /// It is gone on with as `request` says; its id and when it began stay.
    void ask_again(RunRequest request);

    std::filesystem::path logs(std::string_view stage) const;
    std::filesystem::path tensorboard(std::string_view stage) const;
    std::filesystem::path stage(std::string_view stage) const;
    std::filesystem::path alive() const { return path_ / "alive"; }
    std::filesystem::path cancel() const { return path_ / "cancel"; }

    void write(const std::string& name, std::string_view text) const;

    bool make_stage(std::string_view stage) const;  ///< its folder; true: it was not there

    /// stages/<stage>/<name> -> target.
    void link(std::string_view stage,
              const std::string& name,
              const std::filesystem::path& target) const;
    void unlink(std::string_view stage, const std::string& name) const;

private:
    RunFolder(std::filesystem::path path, RunRequest request, Lease lease);

    std::filesystem::path path_;
    RunRequest request_;
    Lease lease_;
};

/// STILLROOM_RUN_ROOT, else runs/.
STILLROOM_API std::filesystem::path run_root();

/// A run folder by its path, its id, or the start of its id below run_root(); "latest" and
/// RECIPE/latest too. Throws Error (2) naming the nearest.
STILLROOM_API std::filesystem::path find_run(const std::string& name);

/// Every run folder below run_root(), newest first.
STILLROOM_API std::vector<std::filesystem::path> list_runs();

/// manifest.json, held to its form. Throws Error (9).
STILLROOM_API RunRequest read_request(const std::filesystem::path& folder);

/// stages/<stage>/stage.json.
struct StageFile {
    std::string name, use, key, status, started, ended;
    int exit_code = 0;
    std::string message;
    std::map<std::string, std::string> inputs;   ///< port or setting -> digest, of a list several
    std::map<std::string, std::string> outputs;  ///< name -> content digest
    std::map<std::string, std::string> paths;    ///< name -> folder
};
STILLROOM_API std::optional<StageFile> read_stage_file(const std::filesystem::path& folder);

/// Every stage.json of a run, in the order of their names; those of sub-recipes and jobs too.
STILLROOM_API std::vector<StageFile> read_stage_files(const std::filesystem::path& run);

}  // namespace stillroom
