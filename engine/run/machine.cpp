#include "engine/run/machine.h"

#include "engine/base/files.h"
#include "engine/base/text.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <vector>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

std::optional<double> number(std::string_view text) {
    text = trim(text);
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end == text.data())
        return std::nullopt;
    return value;
}

/// The folder of this process's control group and those above it, innermost first.
std::vector<fs::path> control_groups(const fs::path& root) {
    fs::path top = root / "sys/fs/cgroup";
    std::vector<fs::path> groups;
    for (const std::string& line : split(read_virtual(root / "proc/self/cgroup"), '\n')) {
        if (!line.starts_with("0::/"))
            continue;
        fs::path group = top / line.substr(4);
        for (; group != top && group.has_relative_path() && group != group.parent_path();
             group = group.parent_path())
            groups.push_back(group);
    }
    groups.push_back(top);
    return groups;
}

/// As CUDA reads it: what follows an entry that is no device does not count.
int visible_devices(const std::string& list) {
    int count = 0;
    for (const std::string& entry : split(list, ',')) {
        std::string_view name = trim(entry);
        if (name.empty() || name.starts_with('-'))
            break;
        count++;
    }
    return count;
}

}  // namespace

std::string read_virtual(const fs::path& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string field_of(const std::string& text, std::string_view name) {
    for (const std::string& line : split(text, '\n')) {
        std::size_t colon = line.find(':');
        if (colon != std::string::npos && trim(std::string_view(line).substr(0, colon)) == name)
            return std::string(trim(std::string_view(line).substr(colon + 1)));
    }
    return "";
}

std::optional<double> core_limit(const fs::path& root) {
    std::optional<double> least;
    for (const fs::path& group : control_groups(root)) {
        std::vector<std::string> words =
            split(std::string(trim(read_virtual(group / "cpu.max"))), ' ');
        if (words.size() != 2)
            continue;
        std::optional<double> quota = number(words[0]);
        std::optional<double> period = number(words[1]);
        if (quota && period && *period > 0)
            least = std::min(least.value_or(*quota / *period), *quota / *period);
    }
    return least;
}

std::optional<double> memory_limit(const fs::path& root) {
    std::optional<double> least;
    for (const fs::path& group : control_groups(root))
        if (std::optional<double> limit = number(read_virtual(group / "memory.max")))
            least = std::min(least.value_or(*limit), *limit);
    return least;
}

int allowed_cores() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    return ::sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
}

int device_files(const fs::path& root) {
    std::vector<std::string> names = list_folder(root / "dev");
    return static_cast<int>(std::count_if(names.begin(), names.end(), [](const std::string& name) {
        return name.starts_with("nvidia") && name.size() > 6 && name[6] >= '0' && name[6] <= '9';
    }));
}

Machine this_machine(const Variables& variables, const fs::path& root) {
    Machine machine;
    machine.cores = std::max(1, allowed_cores());
    machine.all_cores = std::max(machine.cores, static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)));
    if (std::optional<double> limit = core_limit(root)) {
        int granted = std::max(1, static_cast<int>(std::min(*limit, 1e6)));
        machine.cores = std::min(machine.cores, granted);
        machine.all_cores = std::min(machine.all_cores, granted);
    }
    double memory =
        number(field_of(read_virtual(root / "proc/meminfo"), "MemTotal")).value_or(0) * 1024;
    if (std::optional<double> limit = memory_limit(root); limit && *limit < memory)
        memory = *limit;
    machine.memory = static_cast<std::uint64_t>(std::max(0.0, memory));
    auto visible = variables.find("CUDA_VISIBLE_DEVICES");
    machine.devices =
        visible == variables.end() ? device_files(root) : visible_devices(visible->second);
    return machine;
}

}  // namespace stillroom
