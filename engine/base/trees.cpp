// Whole folders: removed, copied. Walked by descriptor, so that nobody who swaps a folder for a
// link meanwhile leads us out of the tree.

#include "engine/base/durable.h"
#include "engine/base/error.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr int kOpenFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr int kDeepest = 512;

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

/// Empty, with errno set, if it cannot be listed.
std::vector<std::string> names_in(int folder, bool& listed) {
    std::vector<std::string> names;
    int again = ::openat(folder, ".", kOpenFolder);
    std::unique_ptr<DIR, CloseFolder> open(again < 0 ? nullptr : ::fdopendir(again));
    listed = open != nullptr;
    if (!open && again >= 0)
        ::close(again);
    while (open) {
        dirent* entry = ::readdir(open.get());
        if (!entry)
            break;
        std::string name = entry->d_name;
        if (name != "." && name != "..")
            names.push_back(std::move(name));
    }
    return names;
}

void remove_below(int parent, const std::string& name, const fs::path& path, int depth) {
    if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT)
        return;
    int code = errno;
    if (code != EISDIR && code != EPERM)
        refuse_write(path, code);
    Descriptor folder(::openat(parent, name.c_str(), kOpenFolder));
    if (!folder.is_open() && errno == EACCES && ::fchmodat(parent, name.c_str(), 0700, 0) == 0)
        folder = Descriptor(::openat(parent, name.c_str(), kOpenFolder));
    if (!folder.is_open()) {
        if (errno == ENOENT)
            return;
        refuse_write(path, errno == ENOTDIR ? code : errno);
    }
    if (depth > kDeepest)
        refuse_write(path, ELOOP);
    ::fchmod(folder.get(), 0700);  // without it a read-only folder keeps what it holds
    bool listed = false;
    for (const std::string& inside : names_in(folder.get(), listed))
        remove_below(folder.get(), inside, path / inside, depth + 1);
    if (!listed)
        refuse_write(path, errno);
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
        refuse_write(path, errno);
}

[[noreturn]] void refuse_source(const fs::path& path, std::string_view why) {
    throw Error({}, fmt::format("cannot copy {}: {}", path.string(), why)).exit_code(kExitBadInput);
}

void copy_bytes(const Descriptor& from,
                const Descriptor& to,
                const fs::path& source,
                const fs::path& target) {
    if (::ioctl(to.get(), FICLONE, from.get()) == 0)
        return;
    std::string buffer(std::size_t{1} << 20, '\0');
    for (;;) {
        ssize_t count = retried([&] { return ::read(from.get(), buffer.data(), buffer.size()); });
        if (count < 0)
            refuse_source(source, std::strerror(errno));
        if (count == 0)
            return;
        write_all(to, {buffer.data(), static_cast<std::size_t>(count)}, target);
    }
}

void copy_below(int parent,
                const std::string& name,
                const fs::path& source,
                const fs::path& target,
                int depth) {
    // O_NONBLOCK: opening a pipe that nobody writes must not hang. The first one named may be a
    // link.
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (depth > 0 ? O_NOFOLLOW : 0);
    Descriptor from(retried([&] { return ::openat(parent, name.c_str(), flags); }));
    if (!from.is_open())
        refuse_source(source, errno == ELOOP ? "it is a link" : std::strerror(errno));
    struct stat status {};
    if (::fstat(from.get(), &status) != 0)
        refuse_source(source, std::strerror(errno));
    if (S_ISREG(status.st_mode)) {
        Descriptor to = make_new_file(target);
        copy_bytes(from, to, source, target);
        sync(to, target);
        close_written(to, target);
        return;
    }
    if (!S_ISDIR(status.st_mode))
        refuse_source(source, "it is no file and no folder");
    if (depth > kDeepest)
        refuse_source(source, fmt::format("it lies more than {} folders deep", kDeepest));
    if (retried([&] { return ::mkdir(target.c_str(), 0777); }) != 0)
        refuse_write(target, errno);
    bool listed = false;
    for (const std::string& inside : names_in(from.get(), listed))
        copy_below(from.get(), inside, source / inside, target / inside, depth + 1);
    if (!listed)
        refuse_source(source, std::strerror(errno));
    sync_folder(target);
}

}  // namespace

void remove_tree(const fs::path& path) {
    remove_below(AT_FDCWD, path.native(), path, 0);
}

void copy_tree(const fs::path& from, const fs::path& to) {
    copy_below(AT_FDCWD, from.native(), from, to, 0);
}

}  // namespace stillroom
