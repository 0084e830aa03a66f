#include "engine/base/durable.h"

#include "engine/base/error.h"
#include "engine/base/random.h"
#include "engine/base/units.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cstring>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

fs::path parent_of(const fs::path& path) {
    fs::path parent = path.parent_path();
    return parent.empty() ? fs::path(".") : parent;
}

/// The path or the nearest folder above it that is there.
bool look_at_disk(fs::path path, struct statvfs& disk) {
    for (;;) {
        if (::statvfs(path.c_str(), &disk) == 0)
            return true;
        fs::path above = parent_of(path);
        if (above == path || path == ".")
            return false;
        path = above;
    }
}

}  // namespace

std::uint64_t free_space(const fs::path& path) {
    struct statvfs disk {};
    return look_at_disk(path, disk) ? std::uint64_t{disk.f_bavail} * disk.f_frsize : 0;
}

void refuse_write(const fs::path& path, int code) {
    std::string why = std::strerror(code);
    std::string hint;
    if (code == ENOSPC || code == EDQUOT) {
        struct statvfs disk {};
        bool known = look_at_disk(path, disk);
        why += fmt::format(", {} free", size_text(free_space(path)));
        if (known && disk.f_files > 0 && disk.f_favail == 0)
            why += " but not one more file";
        hint = "`stillroom store gc --dry-run` shows what the store could free";
    }
    throw Error({}, fmt::format("cannot write {}: {}", path.string(), why))
        .hint(hint)
        .exit_code(kExitResource);
}

Descriptor make_new_file(const fs::path& path, int mode, const fs::path& told) {
    Descriptor file(retried([&] {
        return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    }));
    if (!file.is_open())
        refuse_write(told.empty() ? path : told, errno);
    return file;
}

void write_all(const Descriptor& file, std::string_view bytes, const fs::path& path) {
    while (!bytes.empty()) {
        ssize_t count = retried([&] { return ::write(file.get(), bytes.data(), bytes.size()); });
        if (count < 0)
            refuse_write(path, errno);
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

void replace_file(const fs::path& path, std::string_view text, bool synced) {
    fs::path temporary = path;
    temporary += fmt::format(".{}.tmp", random_name());
    Descriptor file = make_new_file(temporary, 0666, path);
    try {
        write_all(file, text, path);
        if (synced)
            sync(file, path);
        close_written(file, path);
        rename_path(temporary, path);
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
    if (synced)
        sync_folder(path.parent_path());
}

void write_record_file(const fs::path& path, std::string_view text) {
    replace_file(path, text, false);
}

void write_new_record_file(const fs::path& path, std::string_view text) {
    Descriptor file(retried([&] {
        return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    }));
    if (!file.is_open()) {
        write_record_file(path, text);
        return;
    }
    try {
        write_all(file, text, path);
        close_written(file, path);
    } catch (...) {
        ::unlink(path.c_str());
        throw;
    }
}

void sync(const Descriptor& file, const fs::path& path) {
    if (retried([&] { return ::fsync(file.get()); }) != 0)
        refuse_write(path, errno);
}

void close_written(Descriptor& file, const fs::path& path) {
    if (int code = file.close())
        refuse_write(path, code);
}

void sync_folder(const fs::path& folder) {
    const fs::path& path = folder.empty() ? "." : folder;
    Descriptor file(
        retried([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (!file.is_open())
        refuse_write(path, errno);
    // Some file systems of clusters cannot sync a folder and say so; their renames are synchronous.
    if (retried([&] { return ::fsync(file.get()); }) != 0 && errno != EINVAL && errno != ENOTSUP)
        refuse_write(path, errno);
}

void rename_path(const fs::path& from, const fs::path& to) {
    if (retried([&] { return ::rename(from.c_str(), to.c_str()); }) != 0)
        refuse_write(to, errno);
}

void make_folders(const fs::path& folder) {
    if (folder.empty() || retried([&] { return ::mkdir(folder.c_str(), 0777); }) == 0)
        return;
    int code = errno;
    if (code == ENOENT && folder.has_parent_path() && folder.parent_path() != folder) {
        make_folders(folder.parent_path());
        if (retried([&] { return ::mkdir(folder.c_str(), 0777); }) == 0)
            return;
        code = errno;
    }
    struct stat status {};
    bool is_folder = ::stat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
    if (!is_folder)
        refuse_write(folder, code == EEXIST ? ENOTDIR : code);
}

}  // namespace stillroom
