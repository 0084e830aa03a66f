#include "engine/store/store.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/store/fields.h"
#include "engine/store/links.h"
#include "engine/store/manifest.h"
#include "engine/store/places.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <thread>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostManifest = std::size_t{256} << 20;

bool is_there(const fs::path& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
}

unsigned all_cores() {
    return std::max(1U, std::thread::hardware_concurrency());
}

/// What a file of the entry is not, or an empty text.
std::string wrong_size(const fs::path& file, const std::string& name, std::uint64_t wanted) {
    struct stat status {};
    if (::lstat(file.c_str(), &status) != 0)
        return fmt::format("{} {}", name, errno == ENOENT ? "is missing" : std::strerror(errno));
    if (!S_ISREG(status.st_mode))
        return fmt::format("{} is no regular file", name);
    if (static_cast<std::uint64_t>(status.st_size) != wanted)
        return fmt::format("{} is {} bytes, the manifest says {}", name, status.st_size, wanted);
    return "";
}

/// Which link leads to something else now, or an empty text. One that a copy of the store has
/// turned into the file itself is a file.
std::string wrong_link(const Store& store,
                       const fs::path& folder,
                       const StoredOutput& output,
                       Verify verify) {
    for (const FileRecord& file : output.files) {
        fs::path path = folder / file.path;
        if (!output.links.contains(file.path) || !is_link(path))
            continue;
        try {
            FileRecord found = linked_file(store, path, verify, all_cores());
            if (found.digest != file.digest)
                return fmt::format(
                    "{} is not what {}/{} was made of", found.path, output.name, file.path);
        } catch (const Error& error) {
            return error.what();
        }
    }
    return "";
}

std::string wrong_output(const fs::path& folder, const StoredOutput& output, Verify verify) {
    auto leads_away = [&](const FileRecord& file) {
        return output.links.contains(file.path) && is_link(folder / file.path);
    };
    for (const FileRecord& file : output.files) {
        if (leads_away(file))
            continue;
        std::string what =
            wrong_size(folder / file.path, fmt::format("{}/{}", output.name, file.path), file.size);
        if (!what.empty())
            return what;
    }
    struct stat status {};
    if (output.files.empty() && (::lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)))
        return fmt::format("{} is missing", output.name);
    if (verify == Verify::sizes)
        return "";
    std::vector<fs::path> paths;
    std::vector<const FileRecord*> wanted;
    for (const FileRecord& file : output.files) {
        if (leads_away(file))
            continue;
        paths.push_back(folder / file.path);
        wanted.push_back(&file);
    }
    std::size_t there = files_below(folder, Links::follow_to_files).size();
    if (there > output.files.size())
        return fmt::format(
            "{} holds {} files, the manifest lists {}", output.name, there, output.files.size());
    std::vector<FileRecord> found = digest_files(paths, all_cores());
    for (std::size_t i = 0; i < found.size(); ++i)
        if (found[i].digest != wanted[i]->digest)
            return fmt::format("{}/{} has the digest {}, the manifest says {}",
                               output.name,
                               wanted[i]->path,
                               found[i].digest,
                               wanted[i]->digest);
    return "";
}

}  // namespace

Store::Store(fs::path folder) : folder_(fs::absolute(folder).lexically_normal()) {
    if (!folder_.has_filename())
        folder_ = folder_.parent_path();
}

fs::path Store::entry(std::string_view key) const {
    check_key(key);
    return folder_ / key;
}

fs::path Store::output(std::string_view key, std::string_view name) const {
    return entry(key) / name;
}

std::optional<Manifest> Store::find(std::string_view key,
                                    Verify verify,
                                    std::vector<Damage>& damage) const {
    fs::path folder = entry(key);
    fs::path file = folder / "manifest.json";
    if (!is_there(folder))
        return std::nullopt;
    auto refuse = [&](std::string what) {
        if (is_there(folder))  // else another engine took it away just now
            damage.push_back({std::string(key), std::move(what)});
        return std::nullopt;
    };
    try {
        Manifest manifest = parse_manifest(read_file(file, kMostManifest), key);
        for (const StoredOutput& output : manifest.outputs) {
            std::string what = wrong_link(*this, folder / output.name, output, verify);
            if (!what.empty()) {
                damage.push_back({std::string(key), what, true});
                return std::nullopt;
            }
            what = wrong_output(folder / output.name, output, verify);
            if (!what.empty())
                return refuse(what);
        }
        for (const auto& [path, digest] : manifest.written) {
            if (!is_there(path)) {
                damage.push_back({std::string(key), fmt::format("{} is missing", path), true});
                return std::nullopt;
            }
            if (outside_digest(path, verify, all_cores()) != digest) {
                damage.push_back(
                    {std::string(key), fmt::format("{} is not what was written", path), true});
                return std::nullopt;
            }
        }
        return manifest;
    } catch (const Unreadable& unreadable) {
        return refuse(fmt::format("manifest.json is unfit: {}", unreadable.why));
    } catch (const Error& error) {
        return refuse(is_there(file) ? error.what() : "manifest.json is missing");
    }
}

std::optional<Manifest> Store::last_of(std::string_view stage, std::string_view use) const {
    try {
        std::string key = read_file(last_file(folder_, stage, use), 64);
        if (!is_digest(key))
            return std::nullopt;
        Manifest manifest =
            parse_manifest(read_file(folder_ / key / "manifest.json", kMostManifest), key);
        bool same = manifest.stage == stage && manifest.use == use;
        return same ? std::optional(std::move(manifest)) : std::nullopt;
    } catch (const Unreadable&) {
    } catch (const Error&) {
    }
    return std::nullopt;
}

std::optional<Manifest> Store::find_written(const fs::path& path) const {
    std::optional<Manifest> newest;
    for (const std::string& name : list_folder(folder_)) {
        if (!is_digest(name))
            continue;
        try {
            Manifest manifest =
                parse_manifest(read_file(folder_ / name / "manifest.json", kMostManifest), name);
            if (manifest.written.contains(path.string()) &&
                (!newest || newest->created < manifest.created))
                newest = std::move(manifest);
        } catch (const Unreadable&) {
        } catch (const Error&) {
        }
    }
    return newest;
}

std::optional<Work> Store::open_work(std::string_view key, Owner& holder) {
    check_key(key);
    fs::path folder = folder_ / "work" / key;
    for (int tries = 0;; ++tries) {
        bool fresh = ::mkdir(folder.c_str(), 0777) == 0;
        if (!fresh)
            make_folders(folder);
        try {
            std::optional<Lease> lease = Lease::take(folder / "lease", holder, fresh);
            if (!lease)
                return std::nullopt;
            Work work{std::string(key), folder, std::move(*lease), fresh};
            // Outputs of whoever had it before: taken away in one step, so that his publish, should
            // he wake up, finds nothing to rename.
            std::vector<std::string> left =
                fresh ? std::vector<std::string>() : list_folder(folder);
            for (const std::string& name : left)
                if (name.starts_with("outputs"))
                    discard(folder_, folder / name);
                else if (folder / name == published_mark(folder))
                    ::unlink(published_mark(folder).c_str());
            make_folders(work.outputs());
            return work;
        } catch (const Error&) {
            // The one before has published and taken the folder with him.
            if (is_there(folder) || tries == 100)
                throw;
        }
    }
}

void Store::hand_over_work(std::string_view from, std::string_view to) {
    check_key(from);
    check_key(to);
    if (from == to || list_folder(folder_ / "work" / from / "work").empty())
        return;
    Owner holder;
    std::optional<Work> old_work = open_work(from, holder);
    std::optional<Work> new_work;
    if (old_work)
        new_work = open_work(to, holder);
    if (!new_work)
        throw Error({},
                    fmt::format("unfinished work under {} is in use by {}",
                                (folder_ / "work" / (old_work ? to : from)).string(),
                                describe(holder)))
            .hint("wait until it has finished")
            .exit_code(kExitIntegrity);
    if (!list_folder(new_work->state()).empty())
        return;
    rename_path(old_work->state(), new_work->state());
    sync_folder(new_work->folder);
    drop_work(std::move(*old_work));
}

void Store::drop_work(Work work) {
    if (work.lease.still_mine())
        remove_work(work);
}

void Store::touch(std::string_view key) const {
    // The manifest's time of change is that of the last use; its contents never change. In a store
    // that others own this may not be allowed, and then theirs is the last use that counts.
    ::utimensat(AT_FDCWD, (entry(key) / "manifest.json").c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

fs::path store_folder(const std::string& flag, const fs::path& configured) {
    if (!flag.empty())
        return flag;
    if (std::string folder = environment("STILLROOM_STORE"); !folder.empty())
        return folder;
    return configured.empty() ? cache_folder() / "store" : configured;
}

}  // namespace stillroom
