// How an entry comes to be: its files are hashed, the manifest is written last, everything is
// synced and made read-only, and one rename gives it its name. Whatever stops us half way leaves
// work that is not finished and no entry.
//
// Two engines on one key: the lease says whose turn it is, and should one be thought dead that is
// not, the other has taken his outputs away before it began, so that his rename finds nothing.

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/base/units.h"
#include "engine/store/fields.h"
#include "engine/store/links.h"
#include "engine/store/manifest.h"
#include "engine/store/places.h"
#include "engine/store/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr mode_t kReadable = 0555;
constexpr std::size_t kSmall = 4096;

[[noreturn]] void refuse_lost(const Work& work) {
    throw Error({},
                fmt::format("another engine took over the work on {}: nothing was published",
                            work.folder.string()))
        .hint("this engine gave no sign of life for too long; run again")
        .exit_code(kExitIntegrity);
}

void check_lease(const Work& work) {
    if (!work.lease.still_mine())
        refuse_lost(work);
}

/// Opens what was hashed, makes sure it is still that, and syncs it read-only. Read-only is the
/// file's own mode less what writes, so that the umask it was made under stays respected.
void seal_file(const fs::path& path, const FileStamp& stamp) {
    Descriptor file(
        retried([&] { return ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC); }));
    struct stat status {};
    if (!file.is_open() || ::fstat(file.get(), &status) != 0)
        refuse_write(path, errno);
    auto modified = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
    if (static_cast<std::uint64_t>(status.st_size) != stamp.size || modified != stamp.modified_ns)
        throw Error({}, fmt::format("{} changed after its stage had ended", path.string()))
            .exit_code(kExitIntegrity);
    mode_t mode = status.st_mode & 0444;
    if ((status.st_mode & 07777) != mode &&
        retried([&] { return ::fchmod(file.get(), mode); }) != 0)
        refuse_write(path, errno);
    sync(file, path);
    if (int code = file.close())
        refuse_write(path, code);
}

void make_readable_only(const fs::path& path) {
    Descriptor folder(retried(
        [&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }));
    struct stat status {};
    if (!folder.is_open() || ::fstat(folder.get(), &status) != 0 ||
        retried([&] { return ::fchmod(folder.get(), status.st_mode & kReadable); }) != 0)
        refuse_write(path, errno);
}

/// The files of one output, hashed unless their stamp is known. Links are named in `links` instead.
std::vector<FileRecord> hash_output(const fs::path& folder,
                                    const std::map<std::string, const FileRecord*>& known,
                                    unsigned threads,
                                    std::set<std::string>& links) {
    std::vector<FileRecord> records;
    std::vector<fs::path> unknown;
    std::vector<std::size_t> places;
    for (const std::string& name : files_below(folder, Links::follow_to_files)) {
        if (find_invalid_utf8(name))
            throw Error({}, fmt::format("the name of a file in {} is no UTF-8", folder.string()))
                .exit_code(kExitBadInput);
        fs::path path = folder / name;
        if (is_link(path)) {
            links.insert(name);
            continue;
        }
        auto found = known.find(path.native());
        FileRecord record{name, 0, "", {}};
        if (found != known.end() && is_digest(found->second->digest)) {
            record.stamp = stamp_of(path);
            record.size = record.stamp.size;
            if (record.stamp == found->second->stamp)
                record.digest = found->second->digest;
        }
        if (record.digest.empty()) {
            unknown.push_back(path);
            places.push_back(records.size());
        }
        records.push_back(std::move(record));
    }
    std::vector<FileRecord> hashed = digest_files(unknown, threads);
    for (std::size_t i = 0; i < hashed.size(); ++i) {
        hashed[i].path = records[places[i]].path;
        records[places[i]] = std::move(hashed[i]);
    }
    return records;
}

/// Adds the links of one output, each now as it will stand in the entry.
void add_links(const Store& store,
               const fs::path& folder,
               const std::set<fs::path>& sources,
               unsigned threads,
               StoredOutput& output) {
    for (const std::string& name : output.links) {
        fs::path path = folder / name;
        FileRecord record = permitted_file(store, path, sources, threads);
        settle_link(store, path, record.path, fs::path(output.name) / name);
        record.path = name;
        output.files.push_back(std::move(record));
    }
    std::sort(output.files.begin(),
              output.files.end(),
              [](const FileRecord& a, const FileRecord& b) { return a.path < b.path; });
}

void seal_output(const fs::path& folder, const StoredOutput& output) {
    std::set<fs::path> folders{folder};
    for (const FileRecord& file : output.files)
        for (fs::path above = (folder / file.path).parent_path(); above != folder;
             above = above.parent_path())
            folders.insert(above);
    // All that changes comes before the first sync, which then has the most to take with it.
    for (const fs::path& one : folders)
        make_readable_only(one);
    for (const FileRecord& file : output.files)
        if (!output.links.contains(file.path))
            seal_file(folder / file.path, file.stamp);
    for (auto inner = folders.rbegin(); inner != folders.rend(); ++inner)  // the deepest first
        sync_folder(*inner);
}

void check_names(const fs::path& outputs, const Manifest& manifest) {
    std::vector<std::string> there = list_folder(outputs);
    for (const StoredOutput& output : manifest.outputs)
        if (std::find(there.begin(), there.end(), output.name) == there.end())
            throw Error({}, fmt::format("the stage left no output '{}'", output.name));
    for (const std::string& name : there) {
        bool named = std::any_of(manifest.outputs.begin(),
                                 manifest.outputs.end(),
                                 [&](const StoredOutput& output) { return output.name == name; });
        if (name == "manifest.json")  // of a publish that failed and is tried again
            ::unlink((outputs / name).c_str());
        else if (!named)
            throw Error({}, fmt::format("the stage left '{}', which is none of its outputs", name));
    }
}

bool same_outputs(const Manifest& a, const Manifest& b) {
    auto same = [](const StoredOutput& x, const StoredOutput& y) {
        return x.name == y.name && x.digest == y.digest;
    };
    return a.failed == b.failed && a.written == b.written &&
           std::equal(a.outputs.begin(), a.outputs.end(), b.outputs.begin(), b.outputs.end(), same);
}

void write_manifest(const fs::path& file, const std::string& text) {
    Descriptor out = make_new_file(file, 0444);
    write_all(out, text, file);
    sync(out, file);
    close_written(out, file);
}

/// Whether the text of a manifest can be read back, for sure and at a glance: it is small, and
/// holds nothing but plain characters.
bool is_plain(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\n' && (text[i] < ' ' || text[i] > '~'))
            return false;
        if (text[i] == '\\' && ++i < text.size() && text[i] != '"' && text[i] != '\\')
            return false;
    }
    return text.size() <= kSmall;
}

/// What cannot be read back, such as a name that is no UTF-8, must not become an entry.
void check_manifest(const Manifest& manifest, const std::string& text) {
    if (is_plain(text))
        return;
    try {
        parse_manifest(text, manifest.key);
    } catch (const Unreadable& unreadable) {
        throw Error(
            {},
            fmt::format(
                "the outputs of stage '{}' cannot be stored: {}", manifest.stage, unreadable.why))
            .exit_code(kExitBadInput);
    }
}

/// Hashes the outputs, writes the manifest beside them and makes all of it read-only and synced.
/// The manifest's text.
std::string seal(const Store& store,
                 const Work& work,
                 Manifest& manifest,
                 const std::vector<FileRecord>& known,
                 unsigned threads,
                 const std::set<fs::path>& sources) {
    fs::path outputs = work.outputs();
    check_names(outputs, manifest);
    std::map<std::string, const FileRecord*> by_path;
    for (const FileRecord& file : known)
        by_path[file.path] = &file;
    for (StoredOutput& output : manifest.outputs) {
        output.files = hash_output(outputs / output.name, by_path, threads, output.links);
        add_links(store, outputs / output.name, sources, threads, output);
        output.digest = content_digest(output.files);
    }
    std::string text = manifest_text(manifest);
    check_manifest(manifest, text);
    for (const StoredOutput& output : manifest.outputs)
        seal_output(outputs / output.name, output);
    write_manifest(outputs / "manifest.json", text);
    sync_folder(outputs);
    return text;
}

}  // namespace

Manifest Store::publish(Work& work,
                        Manifest manifest,
                        const std::vector<FileRecord>& known,
                        bool replace,
                        unsigned threads,
                        const std::set<fs::path>& sources) {
    check_key(work.key);
    std::string key = sha256_hex(manifest.record);
    if (!manifest.key.empty() && manifest.key != key)
        throw Error({},
                    fmt::format("the record of {} is not that of its key", work.folder.string()))
            .exit_code(kExitInternal);
    manifest.key = key;
    if (manifest.created.empty())
        manifest.created = utc_now();
    if (!std::isfinite(manifest.seconds))
        manifest.seconds = 0;
    std::string text;
    try {
        text = seal(*this, work, manifest, known, threads, sources);
    } catch (const Error&) {
        check_lease(work);  // what another engine takes away is missed in many ways
        throw;
    }
    fs::path outputs = work.outputs();
    std::vector<std::string> rest = list_folder(work.folder);
    std::erase(rest, outputs.filename().native());
    if (!are_leases(rest)) {
        put_remembered(folder_, published_mark(work.folder), sha256_hex(text) + key);
        rest.push_back(published_mark(work.folder).filename().native());
    }

    fs::path target = entry(key);
    for (int tries = 0;; ++tries) {
        check_lease(work);
        if (retried([&] { return ::rename(outputs.c_str(), target.c_str()); }) == 0)
            break;
        int code = errno;
        if (code == ENOENT)
            refuse_lost(work);
        bool occupied = code == ENOTEMPTY || code == EEXIST || code == ENOTDIR;
        if (!occupied || tries == 10)
            refuse_write(target, code);
        std::vector<Damage> damage;
        // To be replaced: its manifest says what it should hold, not what it holds.
        Verify verify = replace ? Verify::digests : Verify::sizes;
        std::optional<Manifest> first = find(key, verify, damage);
        if (first && (!replace || same_outputs(*first, manifest))) {
            remove_work(work);
            return *first;
        }
        discard(folder_, target);  // damaged, or to be replaced
    }
    struct stat status {};
    if (::lstat(target.c_str(), &status) == 0)
        ::chmod(target.c_str(), status.st_mode & kReadable);
    sync_folder(folder_);
    try {
        put_last(last_file(folder_, manifest.stage, manifest.use), key);
    } catch (const Error&) {  // only `why` asks for it
    }
    remove_work(work, rest);
    return manifest;
}

}  // namespace stillroom
