#include "engine/run/store_desk.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/refusal.h"
#include "engine/base/units.h"
#include "engine/plan/describe.h"
#include "engine/plan/key.h"
#include "engine/plan/upstream.h"
#include "engine/recipe/settings.h"
#include "engine/run/agents.h"
#include "engine/schema/catalog.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <limits>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostFiles = 1'000'000;
constexpr std::size_t kMostText = std::size_t{1} << 20;
constexpr std::uint64_t kAnySize = std::numeric_limits<std::uint64_t>::max();

/// An output begins empty, whatever an earlier try left there.
void make_empty(const fs::path& folder) {
    std::error_code failure;
    if (!fs::create_directory(folder, failure)) {
        fs::remove_all(folder, failure);
        make_folders(folder);
    }
}

std::string engine_text(const CheckedStage& stage, std::string_view key, std::string otherwise) {
    NodePtr value = stage.engine ? stage.engine->get(key) : nullptr;
    if (value && value->is_scalar() && !value->is_null())
        return value->text;
    return otherwise;
}

bool lies_in(const fs::path& path, const fs::path& folder) {
    auto [end, at] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
    return end == folder.end();
}

/// Names of the files of a source, relative to it. A link to a file is one.
std::vector<std::string> files_below(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code failure;
    fs::recursive_directory_iterator at(folder, failure), end;
    for (; !failure && at != end; at.increment(failure)) {
        if (names.size() > kMostFiles)
            throw Error({}, fmt::format("{} holds more than {} files", folder.string(), kMostFiles))
                .exit_code(kExitBadInput);
        std::error_code ignored;
        if (fs::is_regular_file(at->path(), ignored))
            names.push_back(at->path().lexically_relative(folder).generic_string());
    }
    if (failure)
        throw Error({}, fmt::format("cannot list {}: {}", folder.string(), failure.message()))
            .exit_code(kExitBadInput);
    return names;
}

[[noreturn]] void changed(const fs::path& path, const std::string& how = "") {
    throw Error(
        {},
        fmt::format(
            "{} changed while it was read{}{}", path.string(), how.empty() ? "" : ": ", how))
        .hint("nothing was kept of this stage; run again once the file stays as it is")
        .exit_code(kExitIntegrity);
}

std::string alive_text(std::uint64_t beat) {
    return fmt::format("{:020}\n", beat);
}

/// "step:fault[:rank]" of those that name this stage.
std::vector<std::string> faults_of(const std::vector<std::string>& all, const std::string& stage) {
    std::vector<std::string> mine;
    for (const std::string& fault : all)
        if (fault.starts_with(stage + ":"))
            mine.push_back(fault.substr(stage.size() + 1));
    return mine;
}

}  // namespace

StoreDesk::StoreDesk(Store& store, const RunFolder& run, DeskOptions options)
    : store_(store),
      run_(run),
      options_(std::move(options)) {
    options_.planning.explain = false;
    write_record_file(run_.alive(), alive_text(0));
    beat_ = std::thread([this] { keep_alive(); });
}

StoreDesk::~StoreDesk() {
    {
        std::lock_guard lock(beat_mutex_);
        ending_ = true;
    }
    beat_wakes_.notify_all();
    beat_.join();
    std::error_code ignored;
    fs::remove(run_.alive(), ignored);
}

/// Workers on any host end soon after this file stops changing. Written in place, always as many
/// bytes, so that a full disk does not stop it; made again where somebody removed it.
void StoreDesk::keep_alive() {
    std::chrono::duration<double> beat(agent_times(options_.launch.timeout).beat);
    std::unique_lock lock(beat_mutex_);
    for (std::uint64_t count = 1; !ending_; ++count) {
        Descriptor file(retried(
            [&] { return ::open(run_.alive().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666); }));
        std::string text = alive_text(count);
        (void)!retried([&] { return ::pwrite(file.get(), text.data(), text.size(), 0); });
        beat_wakes_.wait_for(lock, beat, [this] { return ending_; });
    }
}

PlannedStage StoreDesk::look(const PlannedJob& job, const StageRef& stage) {
    std::lock_guard lock(mutex_);
    Diagnostics diagnostics;
    PlannedStage planned =
        plan_stage(job.plan, stage.stage, store_, options_.planning, diagnostics);
    for (const Diagnostic& one : diagnostics.all()) {
        if (one.severity != Severity::error)
            continue;
        Error error({}, one.message);
        error.hint(one.hint).key(one.key).exit_code(one.exit_code);
        throw error;
    }
    return planned;
}

void StoreDesk::read_sources(const std::vector<fs::path>& paths) {
    auto threads = static_cast<unsigned>(std::max(1, options_.launch.cores));
    for (const fs::path& path : paths)
        store_.outside_file(path, options_.planning.verify, kAnySize, threads);
}

/// A stage's place in its graph; the names are indexed once a job.
std::size_t StoreDesk::index_of(const PlannedJob& job, const std::string& stage) {
    std::unordered_map<std::string, std::size_t>& index = indices_[job.id];
    const std::vector<CheckedStage>& stages = job.plan.graph.stages;
    if (index.empty())
        for (std::size_t i = 0; i < stages.size(); ++i)
            index[stages[i].name] = i;
    return index.at(stage);
}

/// Whether another stage of this run makes the same, or has made it since the store was looked at:
/// then it is looked at again, once for each stage. `holder` is the one that makes it.
bool StoreDesk::made_meanwhile(const std::string& key,
                               const std::string& stage,
                               std::string& holder) {
    std::lock_guard lock(mutex_);
    for (const auto& [name, mine] : works_)
        if (mine.key == key) {
            holder = name;
            return true;
        }
    return options_.planning.fresh.contains(key) && looked_again_.insert(stage).second;
}

std::optional<Job> StoreDesk::begin(const PlannedJob& job,
                                    const StageRef& stage,
                                    const PlannedStage& planned,
                                    int try_number,
                                    std::string& holder) {
    const Plan& plan = job.plan;
    const CheckedStage& checked = plan.graph.stages[stage.stage];
    if (made_meanwhile(planned.key, job.id + "/" + stage.name, holder))
        return std::nullopt;
    Owner owner;
    std::optional<Work> work = store_.open_work(planned.key, owner);
    if (!work) {
        holder = fmt::format("process {} on {}", owner.pid, owner.host);
        return std::nullopt;
    }
    Job out;
    out.run = run_.request().id;
    out.stage = stage.name;
    out.use = checked.use;
    out.settings = checked.settings;
    out.given = given_settings(*checked.settings);
    if (!stillroom::written_paths(checked).empty())
        out.recipe = upstream_text(plan.graph, stage.stage);
    for (const Input& input : checked.inputs) {
        std::vector<fs::path>& paths = out.inputs[input.port];
        for (const Feed& feed : input.feeds)
            paths.push_back(plan.stages[index_of(job, feed.stage)].paths.at(feed.output));
    }
    for (const OutputDeclaration& output : checked.type->outputs) {
        if (!has_output(output, *checked.settings))
            continue;
        fs::path folder = work->outputs() / output.name;
        make_empty(folder);
        out.outputs[output.name] = folder;
    }
    out.work = work->state();
    out.tensorboard = run_.tensorboard(stage.name);
    out.records = run_.logs(stage.name);
    bool first_time = ::mkdir(out.records.c_str(), 0777) == 0;
    if (!first_time)
        make_folders(out.records);
    out.cancel = run_.cancel();
    out.alive = run_.alive();
    out.plugins = options_.plugins;
    if (NodePtr variables = checked.engine->get("env"); variables && variables->is_map())
        for (const Entry& variable : variables->entries)
            out.environment[variable.key] = variable.value->text;
    out.device = engine_text(checked, "device", "auto");
    out.ranks = ranks_of(checked);
    out.threads = std::max(1, options_.launch.cores / out.ranks);
    out.try_number = try_number;
    out.timeout = options_.launch.timeout;
    out.beat = agent_times(out.timeout).beat;
    out.offline = options_.offline;
    out.strict = options_.strict;
    out.inject = faults_of(options_.inject, checked.name);
    out.shares_process = checked.type->shares_process;
    out.is_new = work->is_new && first_time;
    guard_written(checked, out, *work);
    std::lock_guard lock(mutex_);
    works_.insert_or_assign(stage.name, std::move(*work));
    return out;
}

/// What the stage named rather than made, with the digests of its files.
Binding StoreDesk::bind(const CheckedStage& stage, const Heard& heard) {
    auto threads = static_cast<unsigned>(std::max(1, options_.launch.cores));
    // What was hashed while it was fetched is not read again; below only its stamp is compared.
    for (const FileRecord& file : heard.hashed)
        store_.remember(file);
    Binding binding;
    for (const auto& [name, bound] : heard.bound) {
        Binding::Folder folder;
        for (const OutputDeclaration& output : stage.type->outputs)
            if (output.name == name)
                folder.type = output.type;
        folder.path = fs::absolute(bound.folder);
        std::vector<std::string> names = bound.files;
        if (names.empty())
            names = files_below(folder.path);
        std::sort(names.begin(), names.end());
        for (const std::string& file : names) {
            FileRecord record = *store_.outside_file(
                folder.path / file, options_.planning.verify, kAnySize, threads);
            record.path = file;
            folder.files.push_back(std::move(record));
        }
        folder.digest = content_digest(folder.files);
        binding.outputs[name] = std::move(folder);
    }
    for (const fs::path& file : heard.reads) {
        FileRecord record =
            *store_.outside_file(fs::absolute(file), options_.planning.verify, kAnySize, threads);
        record.path = fs::absolute(file).string();
        binding.reads.push_back(std::move(record));
    }
    return binding;
}

/// What a folder was bound as: nothing where it is none.
std::optional<Binding::Folder> StoreDesk::bound_at(const fs::path& folder) {
    std::lock_guard lock(mutex_);
    auto known = bound_.find(folder);
    return known == bound_.end() ? std::nullopt : std::optional(known->second);
}

/// A source that changed while the stage read it would poison the store: its stamp is compared, and
/// where that differs its contents. The same holds for what an entry's links lead to.
void StoreDesk::check_inputs(const PlannedJob& job,
                             const StageRef& stage,
                             const PlannedStage& planned) {
    const Plan& plan = job.plan;
    auto threads = static_cast<unsigned>(std::max(1, options_.launch.cores));
    const std::vector<Edge>& edges = plan.graph.edges;
    auto edge = std::lower_bound(
        edges.begin(), edges.end(), stage.stage, [](const Edge& one, std::size_t to) {
            return one.to < to;
        });
    for (; edge != edges.end() && edge->to == stage.stage; ++edge) {
        if (edge->output.empty())
            continue;
        const PlannedStage& from = plan.stages[edge->from];
        const fs::path& path = from.paths.at(edge->output);
        if (lies_in(path, store_.folder())) {
            std::vector<Damage> damage;
            if (from.linked.contains(edge->output) &&
                !store_.find(from.key, Verify::sizes, damage) && !damage.empty())
                changed(path, damage.front().what);
            continue;
        }
        std::optional<Binding::Folder> bound = bound_at(path);
        if (!bound)
            continue;
        for (const FileRecord& file : bound->files) {
            fs::path whole = path / file.path;
            std::error_code ignored;
            if (!fs::exists(whole, ignored))
                changed(whole);
            if (stamp_of(whole) == file.stamp)
                continue;
            std::optional<FileRecord> now =
                store_.outside_file(whole, Verify::digests, kAnySize, threads);
            if (!now || now->digest != file.digest)
                changed(whole);
        }
    }
    if (planned.parts.outside.empty())
        return;
    PlannedStage now = look(job, stage);
    if (!now.unread.empty()) {
        read_sources(now.unread);
        now = look(job, stage);
    }
    if (now.parts.outside != planned.parts.outside)
        for (const OutsidePath& path : outside_paths(plan.graph.stages[stage.stage]))
            if (path.local &&
                now.parts.outside[path.setting] != planned.parts.outside.at(path.setting))
                changed(path.text);
}

std::string StoreDesk::digest_of(const fs::path& path) const {
    auto threads = static_cast<unsigned>(std::max(1, options_.launch.cores));
    return store_.outside_digest(path, options_.planning.verify, threads);
}

/// A path outside the store may be written where nothing is, where this stage wrote before, or
/// where the user says so; never in place of what the stage reads. A mark in the work folder tells
/// an export that was cut off from somebody's own files.
void StoreDesk::guard_written(const CheckedStage& stage, const Job& job, const Work& work) {
    std::vector<OutsidePath> paths = stillroom::written_paths(stage);
    if (paths.empty())
        return;
    fs::path mark = work.folder / "writes";
    std::error_code ignored;
    bool began = fs::exists(mark, ignored);
    std::optional<Manifest> last = store_.last_of(stage.name, stage.use);
    for (const OutsidePath& path : paths) {
        fs::path place = fs::weakly_canonical(path.text, ignored);
        refuse_no_memory(ignored);
        for (const auto& [port, inputs] : job.inputs)
            for (const fs::path& input : inputs) {
                fs::path real = fs::weakly_canonical(input, ignored);
                refuse_no_memory(ignored);
                if (lies_in(place, real) || lies_in(real, place))
                    throw Error({}, fmt::format("{} is read by this stage ({})", path.text, port))
                        .key(path.setting)
                        .hint("write to another folder")
                        .exit_code(kExitUsage);
            }
        bool is_folder = fs::is_directory(place, ignored);
        if (!fs::exists(place, ignored) || (is_folder && fs::is_empty(place, ignored)) || began ||
            options_.overwrite)
            continue;
        auto before =
            last ? last->written.find(path.text) : std::map<std::string, std::string>::iterator();
        if (last && before != last->written.end() && before->second == digest_of(place))
            continue;
        throw Error({},
                    is_folder ? fmt::format("{} is not empty", path.text)
                              : fmt::format("{} is there already", path.text))
            .key(path.setting)
            .hint("--overwrite lets this stage replace it")
            .exit_code(kExitUsage);
    }
    write_file(mark, "what this stage writes outside the store is its own\n");
}

/// Digests of what the stage wrote outside the store.
std::map<std::string, std::string> StoreDesk::written_paths(const CheckedStage& stage) {
    std::map<std::string, std::string> written;
    for (const OutsidePath& path : stillroom::written_paths(stage)) {
        std::error_code ignored;
        if (fs::exists(path.text, ignored))
            written[path.text] = digest_of(path.text);
    }
    return written;
}

Made StoreDesk::publish(const PlannedJob& job,
                        const StageRef& stage,
                        const PlannedStage& planned,
                        const Heard& heard,
                        Work& work) {
    const CheckedStage& checked = job.plan.graph.stages[stage.stage];
    Made made;
    made.gate = heard.gate;
    made.seconds = heard.seconds;
    Manifest manifest;
    manifest.key = planned.key;
    manifest.record = planned.record;
    Binding binding = bind(checked, heard);
    if (!binding.outputs.empty() || !binding.reads.empty()) {
        if (!binding.reads.empty()) {
            KeyParts parts = planned.parts;
            add_reads(parts, binding.reads);
            manifest.record = key_record(checked, parts);
            manifest.key = key_of(manifest.record);
        }
        for (const auto& [name, folder] : binding.outputs) {
            made.outputs[name] = folder.digest;
            made.paths[name] = folder.path;
            std::lock_guard lock(mutex_);
            bound_[folder.path] = folder;
        }
    }
    bool all_bound =
        !checked.type->outputs.empty() && std::all_of(checked.type->outputs.begin(),
                                                      checked.type->outputs.end(),
                                                      [&](const OutputDeclaration& output) {
                                                          return made.paths.contains(output.name);
                                                      });
    if (all_bound) {
        binding.key = manifest.key;  // a file that comes to a bound folder makes another one
        store_.remember_binding(planned.binding_id, binding);
        return made;
    }
    for (const auto& [name, folder] : binding.outputs) {
        std::error_code ignored;
        fs::remove(work.outputs() / name, ignored);
    }
    manifest.stage = checked.name;
    manifest.use = checked.use;
    manifest.created = utc_now();
    manifest.seconds = heard.seconds;
    manifest.engine = options_.engine;
    manifest.plugin = heard.plugin;
    manifest.build = heard.build;
    manifest.machine = run_.request().machine;
    manifest.threads = std::max(1, options_.launch.cores);
    manifest.decided = heard.decided;
    manifest.failed = heard.gate;
    if (heard.text.size() <= kMostText)
        manifest.text = heard.text;
    manifest.written = written_paths(checked);
    for (const OutputDeclaration& output : checked.type->outputs) {
        std::error_code ignored;
        if (!fs::is_directory(work.outputs() / output.name, ignored))
            continue;
        StoredOutput stored;
        stored.name = output.name;
        stored.type = output.type;
        manifest.outputs.push_back(std::move(stored));
    }
    std::set<fs::path> sources;
    for (const FileRecord& file : binding.reads)
        sources.insert(fs::weakly_canonical(file.path));
    auto threads = static_cast<unsigned>(std::max(1, options_.launch.cores));
    Manifest published =
        store_.publish(work, std::move(manifest), heard.hashed, planned.replace, threads, sources);
    made.key = published.key;
    if (!binding.reads.empty()) {
        binding.key = published.key;
        store_.remember_binding(planned.binding_id, binding);
    }
    for (const StoredOutput& output : published.outputs) {
        made.outputs[output.name] = output.digest;
        made.paths[output.name] = store_.output(published.key, output.name);
        if (!output.links.empty())
            made.linked.insert(output.name);
    }
    return made;
}

Made StoreDesk::finish(const PlannedJob& job,
                       const StageRef& stage,
                       const PlannedStage& planned,
                       const Heard& heard) {
    Work* work = nullptr;
    {
        std::lock_guard lock(mutex_);
        work = &works_.at(stage.name);
    }
    check_inputs(job, stage, planned);
    Made made = publish(job, stage, planned, heard, *work);
    std::lock_guard lock(mutex_);
    options_.planning.fresh.insert(made.key);
    auto mine = works_.extract(stage.name);
    if (made.key.empty())
        store_.drop_work(std::move(mine.mapped()));
    return made;
}

void StoreDesk::leave(const StageRef& stage, bool keep_work) {
    std::lock_guard lock(mutex_);
    auto mine = works_.extract(stage.name);
    if (mine && !keep_work)
        store_.drop_work(std::move(mine.mapped()));
}

}  // namespace stillroom
