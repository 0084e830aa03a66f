#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/cli/doctor.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>

// What the program can run on: what the machine has, and what a container's limits leave of it.

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

constexpr double kGigabyte = 1e9;
constexpr double kLittleMemory = 4 * kGigabyte;

/// A file of /proc or /sys, which have no size to look at first; empty if it cannot be read.
std::string read_virtual(const fs::path& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

std::optional<double> number(std::string_view text) {
    text = trim(text);
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end == text.data())
        return std::nullopt;
    return value;
}

/// What follows "NAME:" on a line of its own.
std::string field(const std::string& text, std::string_view name) {
    for (const std::string& line : split(text, '\n')) {
        std::size_t colon = line.find(':');
        if (colon != std::string::npos && trim(std::string_view(line).substr(0, colon)) == name)
            return std::string(trim(std::string_view(line).substr(colon + 1)));
    }
    return "";
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

/// The cores that the innermost limits leave, or nothing where there is no limit.
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

Check cores(const fs::path& root) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    int count = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
    std::string model = field(read_virtual(root / "proc/cpuinfo"), "model name");
    std::string detail = plural(static_cast<std::size_t>(count), "core");
    if (!model.empty())
        detail += " of " + escape_controls(model);
    std::optional<double> limit = core_limit(root);
    if (limit && *limit < count)
        return {"cores",
                "warning",
                fmt::format("{}, of which the control group grants {:.1f}", detail, *limit),
                "raise the container's CPU limit, or declare fewer cores"};
    return {"cores", "ok", detail, ""};
}

Check instruction_sets(const fs::path& root) {
    std::vector<std::string> flags =
        split(field(read_virtual(root / "proc/cpuinfo"), "flags"), ' ');
    auto has = [&](std::string_view flag) {
        return std::find(flags.begin(), flags.end(), flag) != flags.end();
    };
    std::vector<std::string> found;
    for (auto [flag, name] : {std::pair{"avx2", "AVX2"},
                              {"avx512f", "AVX-512"},
                              {"avx512_bf16", "AVX-512 BF16"},
                              {"amx_bf16", "AMX"}})
        if (has(flag))
            found.emplace_back(name);
    if (!has("avx2"))
        return {"instruction sets",
                "warning",
                "no AVX2: everything runs, slowly",
                "a machine with AVX2, or with AVX-512 and AMX for bf16"};
    return {"instruction sets", "ok", join(found), ""};
}

Check memory(const fs::path& root) {
    std::string table = read_virtual(root / "proc/meminfo");
    double total = number(field(table, "MemTotal")).value_or(0) * 1024;
    double available = number(field(table, "MemAvailable")).value_or(0) * 1024;
    std::string detail =
        fmt::format("{:.1f} GB, {:.1f} GB available", total / kGigabyte, available / kGigabyte);
    for (const fs::path& group : control_groups(root)) {
        std::optional<double> limit = number(read_virtual(group / "memory.max"));
        if (limit && *limit < total) {
            detail += fmt::format(", the control group grants {:.1f} GB", *limit / kGigabyte);
            available = std::min(available, *limit);
            break;
        }
    }
    if (available < kLittleMemory)
        return {"memory", "warning", detail, "a model of 1e9 parameters takes 4 GB in fp32"};
    return {"memory", "ok", detail, ""};
}

std::vector<std::string> device_names(const fs::path& root) {
    std::vector<std::string> names;
    fs::path gpus = root / "proc/driver/nvidia/gpus";
    for (const std::string& slot : list_folder(gpus)) {
        std::string model = field(read_virtual(gpus / slot / "information"), "Model");
        names.push_back(escape_controls(model.empty() ? slot : model));
    }
    return names;
}

Check devices(const fs::path& root) {
    std::vector<std::string> files;
    for (const std::string& name : list_folder(root / "dev"))
        if (name.starts_with("nvidia") && name.size() > 6 && name[6] >= '0' && name[6] <= '9')
            files.push_back(name);
    std::vector<std::string> names = device_names(root);
    std::string driver = field(read_virtual(root / "proc/driver/nvidia/version"), "NVRM version");
    if (files.empty() && names.empty())
        return {"devices",
                "missing",
                "no NVIDIA GPU: stages run on the CPU",
                "on a machine with GPUs: install the driver, or start the container with them"};
    std::string detail = names.empty() ? plural(files.size(), "GPU") : join(names);
    if (driver.empty())
        return {
            "devices", "warning", detail + ", but no driver is loaded", "load the NVIDIA driver"};
    if (files.size() < names.size())
        return {"devices",
                "warning",
                fmt::format("{}; only {} of {} in /dev", detail, files.size(), names.size()),
                "start the container with all GPUs"};
    return {"devices", "ok", fmt::format("{}; driver {}", detail, escape_controls(driver)), ""};
}

}  // namespace

std::vector<Check> examine_hardware(const fs::path& root) {
    return {devices(root), cores(root), instruction_sets(root), memory(root)};
}

}  // namespace stillroom::cli
