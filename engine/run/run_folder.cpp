#include "engine/run/run_folder.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/units.h"
#include "engine/document/document.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <thread>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLargestManifest = std::size_t{4} << 20;
constexpr std::size_t kDeepestStages = 64;
constexpr auto kLongestWatch = std::chrono::seconds(3 * Lease::kBeatSeconds * Lease::kBeatsToLive);
constexpr std::string_view kUnfinished = ".tmp";

std::string random_hex(int digits) {
    unsigned char bytes[8];
    if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        throw Error({}, "the system gives no random numbers").exit_code(kExitResource);
    std::string text;
    for (unsigned char byte : bytes)
        text += fmt::format("{:02x}", byte);
    return text.substr(0, static_cast<std::size_t>(digits));
}

std::string new_id() {
    auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
    return fmt::format("{:%Y%m%dT%H%M%S}-{}", fmt::gmtime(now), random_hex(4));
}

/// Calls what throws where something cannot be written, and says how to write elsewhere.
template <class Write>
void write_here(Write write) {
    try {
        write();
    } catch (Error& error) {
        if (error.hint_text().empty())
            error.hint("`--run-dir DIR` and STILLROOM_RUN_ROOT choose another place");
        throw;
    }
}

[[noreturn]] void fail(const fs::path& path, int code) {
    write_here([&] { refuse_write(path, code); });
    std::abort();
}

void make_place(const fs::path& folder) {
    write_here([&] { make_folders(folder); });
}

fs::path name_beside(const fs::path& name) {
    fs::path beside = name;
    beside += fmt::format(".{}{}", random_hex(8), kUnfinished);
    return beside;
}

/// What an engine left that was killed before it could rename. Whoever calls owns the folder.
void sweep_unfinished(const fs::path& folder) {
    std::error_code failure;
    fs::recursive_directory_iterator at(folder, failure), end;
    for (; !failure && at != end; at.increment(failure))
        if (at->path().native().ends_with(kUnfinished))
            ::unlink(at->path().c_str());
}

/// Replaced by a rename, not synced: these are records, the store holds what must not be lost.
void replace_link(const fs::path& target, const fs::path& name) {
    fs::path beside = name_beside(name);
    if (retried([&] { return ::symlink(target.c_str(), beside.c_str()); }) != 0)
        fail(name, errno);
    if (retried([&] { return ::rename(beside.c_str(), name.c_str()); }) != 0) {
        int error = errno;
        ::unlink(beside.c_str());
        fail(name, error);
    }
}

[[noreturn]] void refuse_live(const fs::path& folder, const Owner& holder) {
    throw Error({},
                fmt::format("{} is in use by process {} on {}",
                            folder.string(),
                            holder.pid,
                            escape_controls(holder.host)))
        .hint("wait until it has ended, or choose another folder with --run-dir")
        .exit_code(kExitIntegrity);
}

Lease take_lease(const fs::path& folder) {
    fs::path file = folder / "lease";
    auto end = std::chrono::steady_clock::now() + kLongestWatch;
    for (;;) {
        Owner holder;
        if (std::optional<Lease> lease = Lease::take(file, holder))
            return std::move(*lease);
        // Of another host, and no beat for long: it is dead once it has not beaten under our eyes
        // either.
        if (Lease::holder(file) || std::chrono::steady_clock::now() > end)
            refuse_live(folder, holder);
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
}

std::vector<std::string> texts(const NodePtr& map, std::string_view key) {
    std::vector<std::string> all;
    NodePtr list = map->get(key);
    if (list && list->is_list())
        for (const NodePtr& item : list->items)
            if (item->is_scalar())
                all.push_back(item->text);
    return all;
}

std::string text_of(const NodePtr& map, std::string_view key) {
    NodePtr value = map->get(key);
    return value && value->is_scalar() && !value->is_null() ? value->text : "";
}

NodePtr read_object(const fs::path& file) {
    std::string text = read_file(file, kLargestManifest);
    Sources sources;
    Diagnostics diagnostics;
    const Source& source = sources.add(file.string(), std::move(text));
    NodePtr root = read_json(source, {}, diagnostics).root;
    if (!root || !diagnostics.ok() || !root->is_map())
        throw Error({}, fmt::format("{} is damaged: it is no JSON object", file.string()))
            .exit_code(kExitIntegrity);
    return root;
}

void write_list(JsonWriter& out, std::string_view key, const std::vector<std::string>& list) {
    out.key(key), out.begin_array();
    for (const std::string& item : list)
        out.string(item);
    out.end_array();
}

std::string request_text(const RunRequest& request) {
    JsonWriter out(2);
    out.begin_object();
    out.key("id"), out.string(request.id);
    out.key("recipe"), out.string(request.recipe);
    out.key("verb"), out.string(request.verb);
    out.key("subject"), out.string(request.subject);
    out.key("directory"), out.string(request.directory.string());
    write_list(out, "arguments", request.arguments);
    write_list(out, "config_dirs", request.config_dirs);
    write_list(out, "only", request.only);
    write_list(out, "from", request.from);
    write_list(out, "force", request.force);
    out.key("multirun"), out.boolean(request.multirun);
    out.key("keep_going"), out.boolean(request.keep_going);
    out.key("fail_fast"), out.boolean(request.fail_fast);
    out.key("created"), out.string(request.created);
    out.key("stillroom"), out.string(request.engine);
    out.key("machine"), out.string(request.machine);
    out.key("launch"), out.string(request.launch);
    out.key("cores"), out.integer(request.cores);
    out.key("store"), out.string(request.store.string());
    out.end_object();
    return out.take() + "\n";
}

constexpr std::size_t kSecond = 15;  ///< of an id, "20261121T145233-1a2b": when it began

/// With the milliseconds that an id lacks; empty for a folder that is damaged.
std::string began_at(const fs::path& folder) {
    try {
        return read_request(folder).created;
    } catch (const Error&) {
        return "";
    }
}

bool is_run(const fs::path& folder) {
    std::error_code ignored;
    return fs::is_regular_file(folder / "manifest.json", ignored);
}

void collect_stage_files(const fs::path& folder, std::size_t depth, std::vector<StageFile>& all) {
    if (depth > kDeepestStages)
        return;
    for (const std::string& name : list_folder(folder)) {
        fs::path inside = folder / name;
        std::error_code ignored;
        if (fs::is_symlink(inside, ignored) || !fs::is_directory(inside, ignored))
            continue;
        if (std::optional<StageFile> stage = read_stage_file(inside))
            all.push_back(std::move(*stage));
        collect_stage_files(inside, depth + 1, all);
    }
}

}  // namespace

fs::path run_root() {
    std::string root = environment("STILLROOM_RUN_ROOT");
    return root.empty() ? fs::path("runs") : fs::path(root);
}

RunFolder::RunFolder(fs::path path, RunRequest request, Lease lease)
    : path_(std::move(path)),
      request_(std::move(request)),
      lease_(std::move(lease)) {}

RunFolder RunFolder::create(const fs::path& root, RunRequest request) {
    fs::path parent = fs::absolute(root) / request.recipe;
    make_place(parent);
    request.id = new_id();
    fs::path folder = parent / request.id;
    if (::mkdir(folder.c_str(), 0777) != 0)
        fail(folder, errno);
    std::string id = request.id;
    RunFolder made = create_at(folder, std::move(request));
    replace_link(id, parent / "latest");
    return made;
}

RunFolder RunFolder::create_at(const fs::path& folder, RunRequest request) {
    fs::path place = fs::absolute(folder).lexically_normal();
    if (!place.has_filename())
        place = place.parent_path();
    make_place(place);
    Lease lease = take_lease(place);
    sweep_unfinished(place);
    if (request.id.empty())
        request.id = place.filename().string();
    request.created = utc_now();
    for (const char* name : {"logs", "stages"})
        make_place(place / name);
    RunFolder made(place, std::move(request), std::move(lease));
    // Synced, unlike the other records: without it nobody could go on with the run.
    write_here([&] { write_file(place / "manifest.json", request_text(made.request_)); });
    return made;
}

RunFolder RunFolder::open(const fs::path& folder) {
    // Not by way of `latest`: that may point elsewhere while this engine is at work.
    std::error_code failure;
    fs::path place = fs::canonical(folder, failure);
    if (failure)
        place = fs::absolute(folder).lexically_normal();
    RunRequest request = read_request(place);
    Lease lease = take_lease(place);
    std::error_code ignored;
    fs::remove(place / "cancel", ignored);
    sweep_unfinished(place);
    return RunFolder(place, std::move(request), std::move(lease));
}

void RunFolder::ask_again(RunRequest request) {
    request.id = request_.id;
    request.created = request_.created;
    request_ = std::move(request);
    write("manifest.json", request_text(request_));
}

fs::path RunFolder::logs(std::string_view stage) const {
    return path_ / "logs" / stage;
}

fs::path RunFolder::tensorboard(std::string_view stage) const {
    return path_ / "tb" / stage;
}

fs::path RunFolder::stage(std::string_view stage) const {
    return path_ / "stages" / stage;
}

void RunFolder::write(const std::string& name, std::string_view text) const {
    fs::path file = path_ / name;
    std::error_code ignored;
    if (!fs::exists(file.parent_path(), ignored))
        make_place(file.parent_path());
    write_here([&] { write_record_file(file, text); });
}

bool RunFolder::make_stage(std::string_view stage_name) const {
    fs::path folder = stage(stage_name);
    if (::mkdir(folder.c_str(), 0777) == 0)
        return true;
    make_place(folder);
    return false;
}

void RunFolder::link(std::string_view stage_name,
                     const std::string& name,
                     const fs::path& target) const {
    fs::path place = stage(stage_name) / name;
    auto make = [&] {
        bool made = retried([&] { return ::symlink(target.c_str(), place.c_str()); }) == 0;
        return made ? 0 : errno;
    };
    int code = make();
    if (code == ENOENT) {
        make_place(place.parent_path());
        code = make();
    }
    if (code == EEXIST)
        replace_link(target, place);
    else if (code != 0)
        fail(place, code);
}

void RunFolder::unlink(std::string_view stage_name, const std::string& name) const {
    ::unlink((stage(stage_name) / name).c_str());
}

RunRequest read_request(const fs::path& folder) {
    if (!is_run(folder))
        throw Error({},
                    fmt::format("{} is no run folder: it has no manifest.json", folder.string()))
            .hint("`stillroom runs ls` lists them")
            .exit_code(kExitUsage);
    NodePtr root = read_object(folder / "manifest.json");
    RunRequest request;
    request.id = text_of(root, "id");
    request.recipe = text_of(root, "recipe");
    request.verb = text_of(root, "verb");
    request.subject = text_of(root, "subject");
    request.directory = text_of(root, "directory");
    request.arguments = texts(root, "arguments");
    request.config_dirs = texts(root, "config_dirs");
    request.only = texts(root, "only");
    request.from = texts(root, "from");
    request.force = texts(root, "force");
    request.multirun = text_of(root, "multirun") == "true";
    request.keep_going = text_of(root, "keep_going") == "true";
    request.fail_fast = text_of(root, "fail_fast") == "true";
    request.created = text_of(root, "created");
    request.engine = text_of(root, "stillroom");
    request.machine = text_of(root, "machine");
    request.launch = text_of(root, "launch");
    request.cores = std::atoi(text_of(root, "cores").c_str());
    request.store = text_of(root, "store");
    return request;
}

std::vector<fs::path> list_runs() {
    std::vector<fs::path> runs;
    fs::path root = run_root();
    for (const std::string& recipe : list_folder(root))
        for (const std::string& id : list_folder(root / recipe)) {
            fs::path folder = root / recipe / id;
            if (id != "latest" && is_run(folder))
                runs.push_back(folder);
        }
    std::sort(runs.begin(), runs.end(), [](const fs::path& a, const fs::path& b) {
        std::string first = a.filename().string(), second = b.filename().string();
        bool same_second = first.substr(0, kSecond) == second.substr(0, kSecond);
        return same_second ? began_at(a) > began_at(b) : first > second;
    });
    return runs;
}

fs::path find_run(const std::string& name) {
    if (is_run(name))
        return name;
    if (is_run(run_root() / name))
        return run_root() / name;
    std::error_code ignored;
    if (name.find('/') != std::string::npos && fs::is_directory(name, ignored))
        return name;  // which is found wanting when it is read
    std::vector<fs::path> runs = list_runs();
    if (name == "latest" && !runs.empty())
        return runs.front();
    std::vector<fs::path> fitting;
    std::vector<std::string> ids;
    for (const fs::path& run : runs) {
        ids.push_back(run.filename().string());
        if (!name.empty() && ids.back().starts_with(name))
            fitting.push_back(run);
    }
    if (fitting.size() == 1)
        return fitting.front();
    if (fitting.size() > 1)
        throw Error({}, fmt::format("'{}' begins the names of {} runs", name, fitting.size()))
            .hint(fmt::format("the newest is {}", fitting.front().filename().string()))
            .exit_code(kExitUsage);
    std::string hint = did_you_mean(name, ids);
    throw Error(
        {},
        fmt::format("there is no run '{}' below {}", escape_controls(name), run_root().string()))
        .hint(hint.empty() ? "`stillroom runs ls` lists them" : hint)
        .exit_code(kExitUsage);
}

std::optional<StageFile> read_stage_file(const fs::path& folder) {
    fs::path file = folder / "stage.json";
    std::error_code ignored;
    if (!fs::is_regular_file(file, ignored))
        return std::nullopt;
    NodePtr root;
    try {
        root = read_object(file);
    } catch (const Error&) {
        return std::nullopt;  // a power cut took it: a record, which the next run writes anew
    }
    StageFile stage;
    stage.name = text_of(root, "name");
    stage.use = text_of(root, "use");
    stage.key = text_of(root, "key");
    stage.status = text_of(root, "status");
    stage.started = text_of(root, "started");
    stage.ended = text_of(root, "ended");
    stage.exit_code = std::atoi(text_of(root, "exit").c_str());
    stage.message = text_of(root, "message");
    if (NodePtr inputs = root->get("inputs"); inputs && inputs->is_map())
        for (const Entry& entry : inputs->entries)
            stage.inputs[entry.key] =
                entry.value->is_list() ? fmt::format("{}", fmt::join(texts(inputs, entry.key), " "))
                                       : entry.value->text;
    NodePtr outputs = root->get("outputs");
    if (outputs && outputs->is_map())
        for (const Entry& entry : outputs->entries)
            if (entry.value->is_map()) {
                stage.outputs[entry.key] = text_of(entry.value, "digest");
                stage.paths[entry.key] = text_of(entry.value, "path");
            }
    return stage;
}

std::vector<StageFile> read_stage_files(const fs::path& run) {
    std::vector<StageFile> all;
    collect_stage_files(run / "stages", 0, all);
    return all;
}

}  // namespace stillroom
