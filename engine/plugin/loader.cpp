#include "engine/plugin/loader.h"

// What is checked is what is loaded. The path is resolved once; then the folder is opened and
// everything goes through its descriptor: the file is opened in it, looked at by its descriptor,
// read through it, and loaded as /proc/self/fd/FOLDER/NAME. A link that is turned elsewhere
// meanwhile, or a folder that is renamed, changes nothing, and nobody else may write in the folder.
// (Not /proc/self/fd/FILE: the loader takes the folder of that name as $ORIGIN, and a library that
// a plugin brings along would not be found.) The folder's descriptor stays open, as the module
// does.

#include "engine/base/build_id.h"
#include "engine/base/error.h"
#include "engine/base/refusal.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/plugin/plugin.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr off_t kLargestModule = off_t{4} << 30;

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0)
            ::close(fd_);
    }
    int get() const { return fd_; }
    int keep() { return std::exchange(fd_, -1); }

private:
    int fd_;
};

std::string shown(const fs::path& path) {
    return escape_controls(path.string());
}

[[noreturn]] void refuse(const fs::path& file,
                         std::string_view why,
                         std::string hint,
                         int exit_code = kExitPolicy) {
    throw Error({}, fmt::format("cannot open the plugin {}: {}", shown(file), why))
        .hint(std::move(hint))
        .exit_code(exit_code);
}

/// Why the system does not open it: what the machine has run out of is no fault of the path.
[[noreturn]] void refuse(const fs::path& file, int error) {
    bool resource = error == ENOMEM || error == EMFILE || error == ENFILE;
    refuse(file, std::strerror(error), "", resource ? kExitResource : kExitUsage);
}

struct stat status_of(const fs::path& file, int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0)
        refuse(file, std::strerror(errno), "");
    return status;
}

/// `what` is "it" or "its folder".
void check_owner(const fs::path& file,
                 const fs::path& path,
                 const struct stat& status,
                 std::string_view what) {
    if ((status.st_mode & S_IWOTH) != 0)
        refuse(file,
               fmt::format("everybody may write {}", what),
               fmt::format("chmod o-w {}", shown(path)));
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        refuse(file,
               fmt::format("{} belongs to user {}", what, status.st_uid),
               "only plugins of yours, or of root, are opened: copy it to a folder of your own");
}

/// The module as far as it must be read before it may be opened.
class Module {
public:
    Module(const fs::path& file, int fd, off_t size)
        : file_(file),
          fd_(fd),
          size_(static_cast<std::uint64_t>(size)) {
        if (size > kLargestModule)
            refuse(
                file, fmt::format("{} bytes are over the limit of {}", size, kLargestModule), "");
    }

    /// The system's loader maps what the headers say, and dies of a file that was cut short.
    void check() {
        constexpr std::string_view kHint = "a plugin is a shared module, built with meson or g++";
        std::string begin = part(0, std::min<std::uint64_t>(size_, sizeof(ElfW(Ehdr))));
        if (!begin.starts_with(std::string_view(ELFMAG, SELFMAG)))
            refuse(file_, "it is no ELF file", std::string(kHint));
        ElfW(Ehdr) header{};
        if (begin.size() < sizeof header)
            refuse(file_, "it was cut short", std::string(kHint));
        std::memcpy(&header, begin.data(), sizeof header);
        if (header.e_type != ET_DYN || header.e_ident[EI_CLASS] != (sizeof(void*) == 8 ? 2 : 1) ||
            header.e_phentsize != sizeof(ElfW(Phdr)))
            refuse(file_, "it is no shared module of this machine", std::string(kHint));
        std::uint64_t bytes = std::uint64_t{header.e_phnum} * sizeof(ElfW(Phdr));
        bool whole = lies_within(header.e_phoff, bytes);
        if (whole) {
            std::string table = part(header.e_phoff, bytes);
            parts_.resize(header.e_phnum);
            std::memcpy(parts_.data(), table.data(), table.size());
        }
        for (const ElfW(Phdr) & one : parts_)
            whole = whole && lies_within(one.p_offset, one.p_filesz);
        if (!whole)
            refuse(file_, "it was cut short", "copy or build it again");
    }

    /// The linker's build id, which it works out from all that it writes; of a module without one
    /// the SHA-256 of the file. A module with its debugging information may be hundreds of
    /// megabytes, and every worker opens one.
    std::string build() {
        for (const ElfW(Phdr) & one : parts_)
            if (one.p_type == PT_NOTE && one.p_filesz <= kLargestNotes)
                if (std::string id = build_id_in(part(one.p_offset, one.p_filesz)); !id.empty())
                    return id;
        PlainSha256 hash;
        for (std::uint64_t at = 0; at < size_; at += kPiece)
            hash.add(part(at, std::min<std::uint64_t>(kPiece, size_ - at)));
        return hex(hash.take());
    }

private:
    static constexpr std::uint64_t kLargestNotes = 1 << 16;
    static constexpr std::uint64_t kPiece = 1 << 20;

    bool lies_within(std::uint64_t begin, std::uint64_t bytes) const {
        return begin <= size_ && bytes <= size_ - begin;
    }

    template <class Bytes>
    static std::string hex(const Bytes& bytes) {
        std::string text;
        for (auto byte : bytes)
            text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
        return text;
    }

    std::string part(std::uint64_t begin, std::uint64_t bytes) const {
        std::string text(bytes, '\0');
        std::size_t filled = 0;
        while (filled < text.size()) {
            ssize_t count = ::pread(fd_,
                                    text.data() + filled,
                                    text.size() - filled,
                                    static_cast<off_t>(begin + filled));
            if (count < 0 && errno == EINTR)
                continue;
            if (count <= 0)
                refuse(file_, count < 0 ? std::strerror(errno) : "it shrank while it was read", "");
            filled += static_cast<std::size_t>(count);
        }
        return text;
    }

    const fs::path& file_;
    int fd_;
    std::uint64_t size_;
    std::vector<ElfW(Phdr)> parts_;
};

bool same_file(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
           a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
           a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

std::string compiler_text(std::uint64_t abi) {
    static constexpr std::string_view kLibraries[] = {
        "an unknown library", "libstdc++ with old strings", "libstdc++", "libc++"};
    std::uint64_t library = abi & 0xff;
    return fmt::format("{} and {}",
                       (abi >> 8 & 0xff) == 1 ? "g++ or clang" : "another compiler",
                       kLibraries[library < 4 ? library : 0]);
}

void check_abi(const fs::path& file, std::uint64_t abi) {
    if (abi == kAbi)
        return;
    if (abi >> 48 != kAbiMark)
        refuse(file,
               "its table is none of Stillroom's",
               "a plugin says STILLROOM_PLUGIN(\"name\", \"version\") once");
    auto version = [](std::uint64_t of) {
        return fmt::format("{}.{}", of >> 32 & 0xffff, of >> 16 & 0xffff);
    };
    if (abi >> 16 != kAbi >> 16)
        refuse(
            file,
            fmt::format("it was built for Stillroom {}, this is {}", version(abi), version(kAbi)),
            "build it again with this engine's headers");
    refuse(file,
           fmt::format(
               "it was built with {}, the engine with {}", compiler_text(abi), compiler_text(kAbi)),
           "build it again with the engine's compiler");
}

}  // namespace

Plugin::Plugin(fs::path file, std::string name, std::string version, std::string build)
    : file_(std::move(file)),
      name_(std::move(name)),
      version_(std::move(version)),
      build_(std::move(build)),
      registry_(name_) {}

std::shared_ptr<const Plugin> Plugin::open(const fs::path& file) {
    std::error_code error;
    fs::path real = fs::canonical(file, error);
    refuse_no_memory(error);
    if (error)
        refuse(file, error.value());
    Descriptor folder(::open(real.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0)
        refuse(file, errno);
    std::string name = real.filename();
    Descriptor module(
        ::openat(folder.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (module.get() < 0)
        refuse(file, errno);
    struct stat status = status_of(file, module.get());
    if (!S_ISREG(status.st_mode))
        refuse(file, "it is no regular file", "a plugin is a shared module, NAME.so", kExitUsage);
    check_owner(file, real, status, "it");
    check_owner(file, real.parent_path(), status_of(file, folder.get()), "its folder");

    Module contents(file, module.get(), status.st_size);
    contents.check();
    std::string build = contents.build();

    std::string path = fmt::format("/proc/self/fd/{}/{}", folder.get(), name);
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        std::string why = ::dlerror();
        std::string_view view = why;
        if (view.starts_with(path + ": "))
            view.remove_prefix(path.size() + 2);
        refuse(file,
               escape_controls(view),
               "ldd says which libraries it needs; was it built with this engine?",
               kExitResource);
    }
    struct stat now {};
    if (::fstatat(folder.get(), name.c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0 ||
        !same_file(status, now))
        refuse(file, "it changed while it was opened", "start again when nothing writes it");
    folder.keep();
    using Entry = const PluginTable* (*)();
    auto entry = reinterpret_cast<Entry>(::dlsym(handle, "stillroom_plugin"));
    if (!entry)
        refuse(
            file,
            "it has no symbol 'stillroom_plugin'",
            "a plugin says STILLROOM_PLUGIN(\"name\", \"version\") once, and exports that symbol");
    const PluginTable* table = entry();
    if (!table)
        refuse(file, "its table is none of Stillroom's", "");
    check_abi(file, table->abi);
    std::shared_ptr<Plugin> plugin(new Plugin(real, table->name, table->version, std::move(build)));
    try {
        table->add_stages(plugin->registry_);
    } catch (Error& problem) {
        problem.note({}, fmt::format("while opening {}", shown(file)));
        throw;
    }
    return plugin;
}

std::unique_ptr<Stage> Plugin::make_stage(std::string_view use, std::string_view settings) const {
    return registry_.make(use, Json::parse(settings));
}

fs::path find_module(std::string_view use,
                     const std::vector<fs::path>& folders_and_files,
                     const std::set<std::string, std::less<>>& to_come) {
    std::string plugin(use.substr(0, use.find('.')));
    std::string name = plugin + ".so";
    std::vector<std::string> looked;
    fs::path found;
    std::error_code error;
    for (const fs::path& place : folders_and_files) {
        fs::path file = fs::is_directory(place, error) ? place / name : place;
        if (file.filename() != name)
            continue;
        looked.push_back(shown(file));
        if (!fs::exists(file, error))
            continue;
        if (found.empty())
            found = file;
        else if (!fs::equivalent(found, file, error))
            throw Error({},
                        fmt::format("there are two plugins '{}': {} and {}",
                                    escape_controls(plugin),
                                    shown(found),
                                    shown(file)))
                .hint(
                    "take one of the two places out of STILLROOM_PLUGIN_PATH, --trust or the "
                    "configuration")
                .exit_code(kExitUsage);
    }
    if (to_come.contains(use))
        throw Error({}, fmt::format("the code of '{}' is still to come", escape_controls(use)))
            .hint("its settings can be checked, but this version cannot run it")
            .exit_code(kExitUsage);
    if (found.empty())
        throw Error({},
                    looked.empty() ? fmt::format("no place to look for the plugin of '{}'",
                                                 escape_controls(use))
                                   : fmt::format("the plugin of '{}' is not there: no {}",
                                                 escape_controls(use),
                                                 join(looked, "and no")))
            .hint("STILLROOM_PLUGIN_PATH or --trust names the folder that holds it")
            .exit_code(kExitUsage);
    return found;
}

const Plugin& Plugins::of_stage(std::string_view use) {
    std::string plugin(use.substr(0, use.find('.')));
    auto found = open_.find(plugin);
    if (found == open_.end() || to_come_.contains(use))  // which find_module refuses
        found = open_.emplace(plugin, Plugin::open(find_module(use, places_, to_come_))).first;
    return *found->second;
}

}  // namespace stillroom
