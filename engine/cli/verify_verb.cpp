#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_verbs.h"
#include "engine/run/run_folder.h"
#include "engine/store/fields.h"
#include "engine/store/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <thread>

// `verify PATH`: reads and hashes what a path holds and what it links to, against what was written
// down when it was made. A path is an entry of a store or lies in one, is a run folder, or was
// written by a stage outside the store.

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

const unsigned kThreads = std::max(1U, std::thread::hardware_concurrency());

struct Checked {
    std::string path;
    std::string what;  ///< empty: as it was made
};

/// The entry that a path is or lies in: its key and its store.
struct EntryPlace {
    fs::path store;
    std::string key;
};

std::optional<EntryPlace> entry_around(const fs::path& path) {
    std::error_code ignored;
    for (fs::path at = path; at.has_relative_path(); at = at.parent_path())
        if (is_digest(at.filename().string()) && at.parent_path().filename() != "work" &&
            fs::is_directory(at, ignored) && !fs::exists(at / "lease", ignored))
            return EntryPlace{at.parent_path(), at.filename().string()};
    return std::nullopt;
}

class Verifier {
public:
    explicit Verifier(const fs::path& store) : store_(store) {}

    void entry(const EntryPlace& place) {
        Store store(place.store);
        std::string path = store.entry(place.key).string();
        if (!seen_.insert(path).second)
            return;
        std::vector<Damage> damage;
        bool whole = store.find(place.key, Verify::digests, damage).has_value();
        if (whole || (!damage.empty() && damage.front().outside))
            checked_.push_back({path, ""});
        else if (damage.empty())
            checked_.push_back({path, "it is not there"});
        for (const Damage& one : damage)
            checked_.push_back({one.outside ? written_in(one.what, path) : path, one.what});
    }

    /// What a run made or used, its sources too.
    void run(const fs::path& folder) {
        RunRequest request = read_request(folder);
        Store store(request.store);
        for (const StageFile& stage : read_stage_files(folder))
            for (const auto& [name, path] : stage.paths) {
                if (path.empty())
                    continue;
                std::optional<EntryPlace> place = entry_around(path);
                if (place)
                    entry(*place);
                else if (auto digest = stage.outputs.find(name); digest != stage.outputs.end())
                    source(store, path, digest->second);
            }
    }

    /// False where no entry says that its stage wrote this.
    bool written(const fs::path& path) {
        std::optional<Manifest> manifest = store_.find_written(path);
        if (!manifest)
            return false;
        std::string now = store_.outside_digest(path, Verify::digests, kThreads);
        bool same = now == manifest->written.at(path.string());
        checked_.push_back({path.string(), same ? "" : "it is not what was written"});
        return true;
    }

    const std::vector<Checked>& checked() const { return checked_; }

private:
    /// The files of a source are those that were bound, not all that lie beside them.
    void source(const Store& store, const fs::path& folder, const std::string& digest) {
        if (!seen_.insert(folder.string()).second)
            return;
        std::optional<Binding::Folder> bound = store.find_source(folder, digest);
        if (!bound) {
            checked_.push_back({folder.string(), "the store remembers no digests of this source"});
            return;
        }
        std::string what;
        for (const FileRecord& file : bound->files) {
            std::error_code ignored;
            if (!fs::exists(folder / file.path, ignored))
                what = fmt::format("{} is missing", file.path);
            else if (digest_file(folder / file.path, kThreads).digest != file.digest)
                what = fmt::format("{} is not what it was", file.path);
            if (!what.empty())
                break;
        }
        checked_.push_back({folder.string(), what});
    }

    /// "PATH is missing": the path of what a stage wrote elsewhere.
    static std::string written_in(const std::string& what, const std::string& otherwise) {
        std::size_t end = what.rfind(" is ");
        return end == std::string::npos ? otherwise : what.substr(0, end);
    }

    Store store_;
    std::set<std::string> seen_;
    std::vector<Checked> checked_;
};

/// A folder or file that is there, or a run by one of its names.
fs::path place_of(const Word& word) {
    std::error_code ignored;
    return fs::exists(word.text, ignored) ? fs::path(word.text) : find_run(word.text);
}

void report(Command& command, const fs::path& path, const std::vector<Checked>& checked) {
    std::size_t damaged = 0;
    for (const Checked& one : checked) {
        if (one.what.empty())
            continue;
        ++damaged;
        command.diagnostics
            .error(
                0, {}, fmt::format("{}: {}", escape_controls(one.path), escape_controls(one.what)))
            .with_hint(
                "`stillroom store verify --repair` removes damaged entries; the next run "
                "makes them again")
            .exits(kExitIntegrity);
    }
    if (damaged == 0)
        command.text = fmt::format(
            "{}: {}, all as they were made\n", path.string(), plural(checked.size(), "folder"));
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("path"), out.string(path.string());
        out.key("checked"), out.begin_array();
        for (const Checked& one : checked) {
            out.begin_object();
            out.key("path"), out.string(one.path);
            out.key("ok"), out.boolean(one.what.empty());
            out.key("what"), one.what.empty() ? out.null() : out.string(one.what);
            out.end_object();
        }
        out.end_array();
        out.end_object();
    });
}

}  // namespace

void run_verify(Command& command) {
    const Word& word = command.line.words.front();
    fs::path given = fs::absolute(place_of(word)).lexically_normal();
    fs::path path = fs::canonical(given);
    Verifier verifier(fs::absolute(store_of(command)));
    std::error_code ignored;
    if (std::optional<EntryPlace> place = entry_around(path)) {
        verifier.entry(*place);
    } else if (fs::exists(path / "events.jsonl", ignored)) {
        verifier.run(path);
    } else if (!verifier.written(given) && !verifier.written(path)) {
        command.diagnostics
            .error(0,
                   word.where,
                   fmt::format("nothing says what {} should hold", escape_controls(path.string())))
            .with_hint(
                "name a run folder, an entry of a store, or what a stage wrote outside "
                "(with the --store of its run)");
        return;
    }
    report(command, path, verifier.checked());
}

}  // namespace stillroom::cli
