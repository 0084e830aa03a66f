#include "engine/store/owner.h"

#include "engine/base/files.h"
#include "engine/base/random.h"
#include "engine/base/text.h"
#include "engine/base/units.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <utility>
#include <vector>

namespace stillroom {
namespace {

/// A small file of /proc, whose size nobody knows beforehand; empty if it cannot be read.
std::string proc_text(const char* path) {
    int file = ::open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return "";
    char text[4096];
    ssize_t count = ::read(file, text, sizeof text);
    ::close(file);
    return std::string(text, count > 0 ? static_cast<std::size_t>(count) : 0);
}

template <class Number>
Number number_in(std::string_view text) {
    Number number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

struct Process {
    long long started = 0;  ///< in ticks since boot; 0 if that cannot be seen
    bool over = false;      ///< has ended, and nobody has asked how: common in containers
};

Process look_at(long pid) {
    Process process;
    std::string text = proc_text(fmt::format("/proc/{}/stat", pid).c_str());
    std::size_t name_end = text.rfind(')');  // the name may hold blanks and brackets
    if (name_end == std::string::npos)
        return process;
    std::string_view rest = std::string_view(text).substr(name_end + 1);
    process.over = rest.starts_with(" Z") || rest.starts_with(" X");
    for (int field = 0; field < 20; ++field) {  // the 22nd field; the name was the second
        std::size_t blank = rest.find(' ');
        if (blank == std::string_view::npos)
            return process;
        rest.remove_prefix(blank + 1);
    }
    process.started = number_in<long long>(rest);
    return process;
}

/// Containers of one host share its boot id but number their processes each from 1.
std::string boot_and_namespace() {
    std::string boot = proc_text("/proc/sys/kernel/random/boot_id");
    while (!boot.empty() && boot.back() == '\n')
        boot.pop_back();
    std::error_code error;
    std::string space = std::filesystem::read_symlink("/proc/self/ns/pid", error).string();
    std::erase_if(space, [](char c) { return c < '0' || c > '9'; });
    return boot + "." + space;
}

std::string host_name() {
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) != 0)
        return "";
    std::string host = name;
    std::erase_if(host, [](char c) { return c == '/' || c == '~'; });  // it becomes part of names
    return host;
}

struct Machine {
    std::string host = host_name();
    std::string boot = boot_and_namespace();
};

const Machine& this_machine() {
    static const Machine machine;
    return machine;
}

}  // namespace

Owner this_process() {
    const Machine& machine = this_machine();
    static const std::pair<long, long long> first{::getpid(), look_at(::getpid()).started};
    long pid = ::getpid();  // another one after a fork
    long long started = pid == first.first ? first.second : look_at(pid).started;
    return {machine.host, machine.boot, pid, started, random_name(), utc_now()};
}

Life life_of(const Owner& owner) {
    const Machine& machine = this_machine();
    if (owner.host != machine.host || owner.boot.empty() || machine.boot.size() < 2)
        return Life::unknown;
    if (owner.boot != machine.boot) {
        // Another boot of this host is over; another namespace of the same boot may live.
        bool same_boot = owner.boot.substr(0, owner.boot.find('.')) ==
                         machine.boot.substr(0, machine.boot.find('.'));
        return same_boot ? Life::unknown : Life::dead;
    }
    if (owner.pid <= 0)
        return Life::unknown;
    if (::kill(static_cast<pid_t>(owner.pid), 0) != 0)
        return errno == ESRCH ? Life::dead : Life::alive;
    Process process = look_at(owner.pid);
    bool another = process.started != 0 && owner.started != 0 && process.started != owner.started;
    return another || process.over ? Life::dead : Life::alive;
}

std::string describe(const Owner& owner) {
    if (owner.pid == 0)
        return "another process";
    return fmt::format(
        "process {} on {}", owner.pid, owner.host.empty() ? "this host" : owner.host);
}

// host~boot~pid~started~nonce. A host's name holds no '~', and what does not read so has no owner.
std::string temporary_name(const Owner& owner) {
    return fmt::format(
        "{}~{}~{}~{}~{}", owner.host, owner.boot, owner.pid, owner.started, owner.nonce);
}

Owner owner_in_name(std::string_view name) {
    std::vector<std::string> parts = split(name, '~');
    if (parts.size() != 5)
        return {};
    return {parts[0],
            parts[1],
            number_in<long>(parts[2]),
            number_in<long long>(parts[3]),
            parts[4],
            ""};
}

}  // namespace stillroom
