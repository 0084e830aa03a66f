#include "engine/base/files.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/folder_reader.h"
#include "engine/base/refusal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void refuse_read(const fs::path& path, std::string_view why) {
    throw Error({}, fmt::format("cannot read {}: {}", path.string(), why)).exit_code(kExitUsage);
}

fs::path xdg(const char* variable, const char* fallback) {
    std::string value = environment(variable);
    fs::path base = value.empty() || value[0] != '/' ? home_folder() / fallback : fs::path(value);
    return base / "stillroom";
}

}  // namespace

std::string read_file(const fs::path& path, std::size_t limit) {
    // O_NONBLOCK: opening a pipe that nobody writes must not hang.
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0)
        refuse_read(path, errno == ENOENT ? "no such file" : std::strerror(errno));
    struct stat status {};
    if (::fstat(file.get(), &status) != 0)
        refuse_read(path, std::strerror(errno));
    if (S_ISDIR(status.st_mode))
        refuse_read(path, "it is a folder");
    if (S_ISFIFO(status.st_mode))
        refuse_read(path, "it is a pipe");
    if (!S_ISREG(status.st_mode))
        refuse_read(path, "it is no regular file");
    auto size = static_cast<std::size_t>(status.st_size);
    if (size > limit)
        refuse_read(path, fmt::format("{} bytes are over the limit of {}", size, limit));
    std::string text(size + 1, '\0');  // one more byte shows that it grew
    std::size_t filled = 0;
    while (filled < text.size()) {
        ssize_t count = ::read(file.get(), text.data() + filled, text.size() - filled);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            refuse_read(path, std::strerror(errno));
        if (count == 0)
            break;
        filled += static_cast<std::size_t>(count);
        if (filled > limit)
            refuse_read(path, fmt::format("it grew over the limit of {} bytes", limit));
        if (filled == text.size())
            text.resize(text.size() * 2);
    }
    text.resize(filled);
    return text;
}

void write_file(const fs::path& path, std::string_view text) {
    replace_file(path, text, true);
}

std::vector<std::string> list_folder(const fs::path& folder) {
    std::vector<std::string> names;
    FolderReader reader(folder);
    while (const dirent64* entry = reader.next())
        names.emplace_back(entry->d_name);
    refuse_no_memory({reader.failure(), std::generic_category()});
    std::sort(names.begin(), names.end());
    return names;
}

bool is_inside(const fs::path& path, const fs::path& folder) {
    auto [end, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
    return end == folder.end() || (end->empty() && std::next(end) == folder.end());
}

fs::path home_folder() {
    std::string home = environment("HOME");
    if (!home.empty())
        return home;
    passwd entry{};
    passwd* found = nullptr;
    char buffer[4096];
    if (getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found) == 0 && found &&
        found->pw_dir[0] == '/')
        return found->pw_dir;
    return ".stillroom";
}

fs::path config_folder() {
    return xdg("XDG_CONFIG_HOME", ".config");
}
fs::path cache_folder() {
    return xdg("XDG_CACHE_HOME", ".cache");
}

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

fs::path program_path() {
    std::error_code error;
    fs::path path = fs::read_symlink("/proc/self/exe", error);
    return error ? fs::path("stillroom") : path;
}

}  // namespace stillroom
