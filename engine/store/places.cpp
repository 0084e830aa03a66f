#include "engine/store/places.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/sha256.h"
#include "engine/store/fields.h"
#include "engine/store/owner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kWeek = 7 * 24 * 3600;
constexpr std::size_t kMark = 128;  // two digests in hex
constexpr std::size_t kMostManifest = std::size_t{256} << 20;

/// Whether nobody needs what is in the work folder. Throws Error where its mark names no entry.
bool is_over(const fs::path& store, const fs::path& work) {
    if (are_leases(list_folder(work)))
        return true;
    std::string mark = read_file(published_mark(work), kMark);
    if (mark.size() != kMark || !is_digest(mark.substr(kMark / 2)))
        return false;
    fs::path entry = store / mark.substr(kMark / 2);
    return sha256_hex(read_file(entry / "manifest.json", kMostManifest)) ==
           mark.substr(0, kMark / 2);
}

}  // namespace

void check_key(std::string_view key) {
    if (!is_digest(key))
        throw Error({}, fmt::format("'{}' is no key: it is not 64 hex digits", key))
            .exit_code(kExitInternal);
}

fs::path temporary_path(const fs::path& store) {
    make_folders(store / "tmp");
    return store / "tmp" / temporary_name(this_process());
}

void put_remembered(const fs::path& store, const fs::path& file, std::string_view text) {
    fs::path temporary = temporary_path(store);
    Descriptor out = make_new_file(temporary);
    try {
        write_all(out, text, file);
        close_written(out, file);
        if (retried([&] { return ::rename(temporary.c_str(), file.c_str()); }) != 0) {
            if (errno != ENOENT)
                refuse_write(file, errno);
            make_folders(file.parent_path());
            rename_path(temporary, file);
        }
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
}

fs::path last_file(const fs::path& store, std::string_view stage, std::string_view use) {
    return store / "last" / sha256_hex(std::string(stage) + '\0' + std::string(use));
}

void put_last(const fs::path& file, std::string_view key) {
    auto open = [&] {
        return Descriptor(retried([&] {
            return ::open(file.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        }));
    };
    Descriptor out = open();
    if (!out.is_open() && errno == ENOENT) {
        make_folders(file.parent_path());
        out = open();
    }
    if (!out.is_open())
        refuse_write(file, errno);
    write_all(out, key, file);
    close_written(out, file);
}

void remove_work(Work& work) {
    remove_work(work, list_folder(work.folder));
}

void remove_work(Work& work, const std::vector<std::string>& names) {
    try {
        fs::path mark = published_mark(work.folder);
        bool marked = false;
        for (const std::string& name : names)
            if (name == mark.filename())
                marked = true;
            else if (!name.starts_with("lease"))
                remove_tree(work.folder / name);
        if (!work.lease.remove())
            return;  // with the mark, or with nothing else there, the next run tries again
        if (marked)
            ::unlink(mark.c_str());
        ::rmdir(work.folder.c_str());
    } catch (const Error&) {
        work.lease.release();
    }
}

fs::path published_mark(const fs::path& work) {
    return work / "published";
}

bool are_leases(const std::vector<std::string>& names) {
    return std::all_of(names.begin(), names.end(), [](const std::string& name) {
        return name.starts_with("lease") || name.starts_with(".lease");
    });
}

void sweep_published(const fs::path& store) {
    for (const std::string& key : list_folder(store / "work")) {
        fs::path folder = store / "work" / key;
        if (::rmdir(folder.c_str()) == 0)
            continue;
        try {
            if (!is_over(store, folder))
                continue;
            Owner holder;
            std::optional<Lease> lease = Lease::take(folder / "lease", holder);
            if (!lease)
                continue;
            Work work{key, folder, std::move(*lease)};
            if (is_over(store, folder))
                remove_work(work);
        } catch (const Error&) {  // not marked, or another engine was faster
        }
    }
}

bool discard(const fs::path& store, const fs::path& folder) {
    struct stat status {};
    if (::lstat(folder.c_str(), &status) != 0)
        return false;
    fs::path temporary = temporary_path(store);
    // Moving a folder changes its "..", for which it must be writable.
    if (S_ISDIR(status.st_mode) && (status.st_mode & S_IWUSR) == 0)
        ::chmod(folder.c_str(), (status.st_mode & 07777) | S_IWUSR);
    if (retried([&] { return ::rename(folder.c_str(), temporary.c_str()); }) != 0) {
        if (errno == ENOENT)
            return false;
        refuse_write(folder, errno);
    }
    remove_tree(temporary);
    return true;
}

std::uint64_t bytes_below(const fs::path& folder) {
    std::uint64_t bytes = 0;
    std::error_code error;
    fs::recursive_directory_iterator it(
        folder, fs::directory_options::skip_permission_denied, error);
    for (fs::recursive_directory_iterator end; !error && it != end; it.increment(error)) {
        struct stat status {};
        if (::lstat(it->path().c_str(), &status) == 0 && S_ISREG(status.st_mode))
            bytes += static_cast<std::uint64_t>(status.st_size);
    }
    return bytes;
}

Swept sweep_temporary(const fs::path& store, bool dry_run) {
    Swept swept;
    for (const std::string& name : list_folder(store / "tmp")) {
        fs::path path = store / "tmp" / name;
        Life life = life_of(owner_in_name(name));
        struct stat status {};
        bool old =
            ::lstat(path.c_str(), &status) == 0 && std::time(nullptr) - status.st_mtime > kWeek;
        if (life == Life::alive || (life == Life::unknown && !old))
            continue;
        ++swept.count;
        swept.bytes += S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size)
                                               : bytes_below(path);
        if (!dry_run)
            remove_tree(path);
    }
    return swept;
}

}  // namespace stillroom
