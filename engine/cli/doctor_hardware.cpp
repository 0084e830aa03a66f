#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/cli/doctor.h"
#include "engine/run/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

// What the program can run on: what the machine has, and what a container's limits leave of it.

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

constexpr double kGigabyte = 1e9;
constexpr double kLittleMemory = 4 * kGigabyte;

std::optional<double> number(std::string_view text) {
    text = trim(text);
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end == text.data())
        return std::nullopt;
    return value;
}

Check cores(const fs::path& root) {
    int count = allowed_cores();
    std::string model = field_of(read_virtual(root / "proc/cpuinfo"), "model name");
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
        split(field_of(read_virtual(root / "proc/cpuinfo"), "flags"), ' ');
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
    double total = number(field_of(table, "MemTotal")).value_or(0) * 1024;
    double available = number(field_of(table, "MemAvailable")).value_or(0) * 1024;
    std::string detail =
        fmt::format("{:.1f} GB, {:.1f} GB available", total / kGigabyte, available / kGigabyte);
    if (std::optional<double> limit = memory_limit(root); limit && *limit < total) {
        detail += fmt::format(", the control group grants {:.1f} GB", *limit / kGigabyte);
        available = std::min(available, *limit);
    }
    if (available < kLittleMemory)
        return {"memory", "warning", detail, "a model of 1e9 parameters takes 4 GB in fp32"};
    return {"memory", "ok", detail, ""};
}

std::vector<std::string> device_names(const fs::path& root) {
    std::vector<std::string> names;
    fs::path gpus = root / "proc/driver/nvidia/gpus";
    for (const std::string& slot : list_folder(gpus)) {
        std::string model = field_of(read_virtual(gpus / slot / "information"), "Model");
        names.push_back(escape_controls(model.empty() ? slot : model));
    }
    return names;
}

Check devices(const fs::path& root) {
    std::size_t files = static_cast<std::size_t>(device_files(root));
    std::vector<std::string> names = device_names(root);
    std::string driver =
        field_of(read_virtual(root / "proc/driver/nvidia/version"), "NVRM version");
    if (files == 0 && names.empty())
        return {"devices",
                "missing",
                "no NVIDIA GPU: stages run on the CPU",
                "on a machine with GPUs: install the driver, or start the container with them"};
    std::string detail = names.empty() ? plural(files, "GPU") : join(names);
    if (driver.empty())
        return {
            "devices", "warning", detail + ", but no driver is loaded", "load the NVIDIA driver"};
    if (files < names.size())
        return {"devices",
                "warning",
                fmt::format("{}; only {} of {} in /dev", detail, files, names.size()),
                "start the container with all GPUs"};
    return {"devices", "ok", fmt::format("{}; driver {}", detail, escape_controls(driver)), ""};
}

}  // namespace

std::vector<Check> examine_hardware(const fs::path& root) {
    return {devices(root), cores(root), instruction_sets(root), memory(root)};
}

}  // namespace stillroom::cli
