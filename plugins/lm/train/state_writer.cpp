#include "plugins/lm/train/state_writer.h"

#include "engine/base/build_id.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/json_value.h"
#include "engine/base/random.h"
#include "plugins/lm/weights/file_sink.h"
#include "plugins/lm/weights/mapped_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

// How the parts of a state come together. Each writes its files into one passing folder, and when
// they are on the disk says so there in part-00001.json. Part 0 waits for those, and writes what
// says what they all are. Nothing else is shared, so it also works over a network file system.

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr const char* kPassing = ".tmp";
constexpr std::size_t kMostPart = std::size_t{1} << 20;

std::string part_name(int part) {
    return fmt::format("part-{:05}.json", part);
}

std::string records_text(const std::vector<FileRecord>& files) {
    JsonWriter json;
    json.begin_object();
    json.key("files");
    json.begin_array();
    for (const FileRecord& file : files) {
        json.begin_object();
        json.key("path");
        json.string(file.path);
        json.key("size");
        json.integer(static_cast<std::int64_t>(file.size));
        json.key("digest");
        json.string(file.digest);
        json.end_object();
    }
    json.end_array();
    json.end_object();
    return json.take();
}

std::string failure_text(const std::string& what, int code) {
    JsonWriter json;
    json.begin_object();
    json.key("failed");
    json.string(what);
    json.key("exit_code");
    json.integer(code);
    json.end_object();
    return json.take();
}

/// The index of all shards, whose headers are read for it.
std::string index_text(const fs::path& folder, const std::vector<FileRecord>& files) {
    std::map<std::string, std::string> shard_of;
    std::uint64_t bytes = 0;
    for (const FileRecord& record : files) {
        if (!record.path.starts_with("model-"))
            continue;
        TensorFile file = TensorFile::open(folder / record.path);
        for (const TensorInfo& info : file.tensors()) {
            if (!shard_of.emplace(info.name, record.path).second)
                throw Error({},
                            fmt::format("two parts of a state write tensor '{}'", shown(info.name)))
                    .exit_code(kExitInternal);
            bytes += info.bytes;
        }
    }
    JsonWriter json(2);
    json.begin_object();
    json.key("metadata");
    json.begin_object();
    json.key("total_size");
    json.integer(static_cast<std::int64_t>(bytes));
    json.end_object();
    json.key("weight_map");
    json.begin_object();
    for (const auto& [tensor, shard] : shard_of) {
        json.key(tensor);
        json.string(shard);
    }
    json.end_object();
    json.end_object();
    return json.take() + "\n";
}

FileRecord write_text(const fs::path& path, const fs::path& told, std::string_view text) {
    DigestingSink sink(path, told);
    sink.write(std::as_bytes(std::span(text)));
    sink.close();
    return sink.record();
}

FileRecord copy_file(const fs::path& from, const fs::path& path, const fs::path& told) {
    MappedFile source = MappedFile::open(from);
    DigestingSink sink(path, told);
    sink.copy(source, 0, source.size());
    sink.close();
    return sink.record();
}

}  // namespace

StateWriter::StateWriter(StatePlace place)
    : place_(std::move(place)),
      folder_(place_.work / kCheckpoints),
      newest_(place_.resumed),
      asked_(place_.resumed) {
    if (place_.attempt.empty()) {
        if (place_.parts > 1)
            throw Error({}, "the parts of a state have no name in common").exit_code(kExitInternal);
        place_.attempt = random_name();
    }
    make_folders(folder_);
    if (place_.part == 0)
        sweep();
}

StateWriter::~StateWriter() {
    {
        std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_all();
    if (writing_.valid())
        writing_.wait();
}

bool StateWriter::busy() const {
    return writing_.valid() &&
           writing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
}

void StateWriter::wait() {
    if (writing_.valid())
        writing_.get();
}

void StateWriter::write(StateShare share, const TrainingPoint& point) {
    wait();
    if (point.step == asked_)
        return;
    asked_ = point.step;
    writing_ = std::async(std::launch::async, [this, given = std::move(share), point]() mutable {
        StateShare mine = std::move(given);  // goes when it is written, not when somebody asks
        save(mine, point);
    });
}

fs::path StateWriter::passing(const std::string& step) const {
    return folder_ / fmt::format(".{}.{}{}", step, place_.attempt, kPassing);
}

void StateWriter::save(const StateShare& share, const TrainingPoint& point) {
    std::string step = step_name(point.step);
    fs::path folder = passing(step);
    fs::path sign = folder / part_name(place_.part);
    try {
        make_folders(folder);
        std::vector<FileRecord> files = write_share(share, step);
        if (place_.part == 0)
            publish(std::move(files), point);
        else
            replace_file(sign, records_text(files), true);
        newest_ = point.step;
    } catch (const std::exception& problem) {
        const auto* error = dynamic_cast<const Error*>(&problem);
        try {  // the disk may be full: then part 0 finds out by waiting
            if (place_.part == 0)
                remove_tree(folder);
            else
                replace_file(
                    sign,
                    failure_text(problem.what(), error ? error->exit_code() : kExitStageFailed),
                    false);
        } catch (const Error&) {
        }
        throw;
    }
}

std::vector<FileRecord> StateWriter::write_share(const StateShare& share, const std::string& step) {
    std::vector<FileRecord> files;
    auto write = [&](const std::string& name, const std::vector<NewTensor>& tensors) {
        if (!tensors.empty())
            files.push_back(
                save_tensors(passing(step) / name, folder_ / step / name, tensors, kTorchFormat));
    };
    write(fmt::format("model-{:05}-of-{:05}.safetensors", place_.part + 1, place_.parts),
          share.model);
    write(fmt::format("optimizer-{:05}.safetensors", place_.part + 1), share.optimizer);
    return files;
}

std::vector<FileRecord> StateWriter::take_part(const fs::path& file, int part) {
    using Clock = std::chrono::steady_clock;
    auto begin = Clock::now();
    auto pause = std::chrono::milliseconds(2);
    std::unique_lock lock(mutex_);
    while (!fs::exists(file)) {
        if (ending_ || Clock::now() - begin > std::chrono::duration<double>(place_.patience))
            throw Error({},
                        ending_
                            ? fmt::format("part {} of a state was no longer waited for", part)
                            : fmt::format("part {} of {} of a state was not written within {} s",
                                          part,
                                          place_.parts,
                                          place_.patience))
                .exit_code(kExitRanks);
        wake_.wait_for(lock, pause);
        pause = std::min(pause * 2, std::chrono::milliseconds(200));
    }
    lock.unlock();
    Json json = Json::parse(read_file(file, kMostPart));
    if (const Json* failed = json.find("failed"))
        throw Error({}, fmt::format("part {} of a state: {}", part, failed->string()))
            .exit_code(static_cast<int>(json.at("exit_code").integer()));
    std::vector<FileRecord> files;
    for (const Json& record : json.at("files").list())
        files.push_back({record.at("path").string(),
                         static_cast<std::uint64_t>(record.at("size").integer()),
                         record.at("digest").string(),
                         {}});
    return files;
}

void StateWriter::publish(std::vector<FileRecord> files, const TrainingPoint& point) {
    std::string step = step_name(point.step);
    fs::path folder = passing(step);
    for (int part = 1; part < place_.parts; ++part) {
        fs::path sign = folder / part_name(part);
        std::vector<FileRecord> more = take_part(sign, part);
        files.insert(files.end(), more.begin(), more.end());
        remove_tree(sign);
    }
    write_small_files(files, point);
    std::sort(files.begin(), files.end(), [](const FileRecord& a, const FileRecord& b) {
        return a.path < b.path;
    });
    StateManifest manifest{place_.stage, build_id(), place_.layout, files};
    write_text(folder / kManifest, folder_ / step / kManifest, manifest_text(manifest));
    sync_folder(folder);
    remove_state(step);  // a damaged one that was passed over
    rename_path(folder, folder_ / step);
    sync_folder(folder_);
    replace_file(place_.work / kLatest, step + "\n", true);
    remove_older(point.step);
}

void StateWriter::write_small_files(std::vector<FileRecord>& files, const TrainingPoint& point) {
    fs::path folder = passing(step_name(point.step)), told = folder_ / step_name(point.step);
    auto write = [&](const std::string& name, const std::string& text) {
        files.push_back(write_text(folder / name, told / name, text));
    };
    for (const fs::path& from : place_.files)
        files.push_back(copy_file(from, folder / from.filename(), told / from.filename()));
    for (const auto& [name, text] : place_.texts)
        write(name, text);
    write(std::string(kModelIndex), index_text(folder, files));
    write(kState, point_text(point));
}

/// Those after `newest` were passed over, or belong to a course that was given up.
void StateWriter::remove_older(std::int64_t newest) {
    std::vector<std::int64_t> steps;
    for (const std::string& name : list_folder(folder_))
        if (std::optional<std::int64_t> step = step_of(name))
            *step > newest ? remove_state(name) : steps.push_back(*step);
    std::sort(steps.rbegin(), steps.rend());
    if (place_.keep < 0)
        return;
    for (std::size_t i = static_cast<std::size_t>(std::max<std::int64_t>(place_.keep, 1));
         i < steps.size();
         ++i)
        remove_state(step_name(steps[i]));
}

/// Its name goes first, so that no half of it is ever found under it.
void StateWriter::remove_state(const std::string& name) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(folder_ / name, error)))
        return;
    fs::path going = folder_ / fmt::format(".{}.{}{}", name, random_name(), kPassing);
    rename_path(folder_ / name, going);
    remove_tree(going);
}

/// The work folder is one run's, so what has another attempt's name is of one that has ended.
void StateWriter::sweep() {
    std::string ours = "." + place_.attempt + kPassing;
    for (const std::string& name : list_folder(folder_))
        if (name.starts_with(".step-") && name.ends_with(kPassing) && !name.ends_with(ours))
            remove_tree(folder_ / name);
    for (const std::string& name : list_folder(place_.work))
        if (name.starts_with(std::string(kLatest) + ".") && name.ends_with(kPassing))
            remove_tree(place_.work / name);
}

}  // namespace stillroom::lm
