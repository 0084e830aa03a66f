#include "engine/run/memory_watch.h"

#include "engine/run/machine.h"

#include <unistd.h>

#include <fstream>
#include <string>

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

std::uint64_t read_kills() {
    static const std::string file = events_file();
    std::ifstream events(file);
    std::string name;
    for (std::uint64_t value = 0; events >> name >> value;)
        if (name == "oom_kill")
            return value;
    return 0;
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
