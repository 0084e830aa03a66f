#pragma once

#include "engine/base/api.h"
#include "engine/run/ranks.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace stillroom {

/// What this host has for the run, and what a container's limits leave of it.
struct Machine {
    int cores = 1;             ///< this process may use
    int all_cores = 1;         ///< of the host, others' too
    std::uint64_t memory = 0;  ///< bytes
    int devices = 0;           ///< GPUs
};

/// `root` is / but in tests; of the variables CUDA_VISIBLE_DEVICES counts.
STILLROOM_API Machine this_machine(const Variables& variables,
                                   const std::filesystem::path& root = "/");

/// Cores and bytes that the control groups of this process grant; nothing where there is no limit.
STILLROOM_API std::optional<double> core_limit(const std::filesystem::path& root);
STILLROOM_API std::optional<double> memory_limit(const std::filesystem::path& root);

/// The cores that this process may be put on.
STILLROOM_API int allowed_cores();

/// How many GPUs have a file in /dev.
STILLROOM_API int device_files(const std::filesystem::path& root);

/// A file of /proc or /sys, which have no size to look at first; empty if it cannot be read.
STILLROOM_API std::string read_virtual(const std::filesystem::path& path);

/// What follows "NAME:" on a line of its own.
STILLROOM_API std::string field_of(const std::string& text, std::string_view name);

}  // namespace stillroom
