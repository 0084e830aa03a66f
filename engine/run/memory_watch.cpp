#include "engine/run/memory_watch.h"

#include "engine/base/descriptor.h"
#include "engine/run/machine.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>

namespace stillroom {
namespace {

/// Where the kernel counts for our group; the second version has one tree, the first one a tree for
/// memory.
std::string events_file() {
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        if (line.starts_with("0::"))
            return "/sys/fs/cgroup" + line.substr(3) + "/memory.events";
        if (std::size_t at = line.find(":memory:"); at != std::string::npos)
            return "/sys/fs/cgroup/memory" + line.substr(at + 8) + "/memory.oom_control";
    }
    return {};
}

/// Read for every stage, so through a descriptor that stays open.
std::uint64_t read_kills() {
    static const Descriptor events(::open(events_file().c_str(), O_RDONLY | O_CLOEXEC));
    char text[512];
    ssize_t count = events.is_open() ? ::pread(events.get(), text, sizeof text, 0) : ssize_t{0};
    std::string_view rest(text, static_cast<std::size_t>(std::max(count, ssize_t{0})));
    constexpr std::string_view kName = "oom_kill ";
    std::size_t at = rest.find(kName);
    while (at != std::string_view::npos && at > 0 && rest[at - 1] != '\n')
        at = rest.find(kName, at + 1);
    std::uint64_t kills = 0;
    if (at != std::string_view::npos)
        std::from_chars(rest.data() + at + kName.size(), rest.data() + rest.size(), kills);
    return kills;
}

std::uint64_t read_limit() {
    auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
    std::uint64_t limit = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    if (std::optional<double> granted = memory_limit("/"); granted && *granted < double(limit))
        limit = static_cast<std::uint64_t>(*granted);
    return limit;
}

}  // namespace

// What the machine grants is read once: a watch is made for each stage.
MemoryWatch::MemoryWatch() : kills_(read_kills()) {
    static const std::uint64_t limit = read_limit();
    limit_ = limit;
}

bool MemoryWatch::explains_kill(std::uint64_t peak) const {
    return read_kills() > kills_ || (limit_ > 0 && peak > limit_ / 10 * 9);
}

}  // namespace stillroom
