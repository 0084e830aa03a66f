#pragma once

#include "engine/base/api.h"

#include <filesystem>
#include <string>
#include <vector>

namespace stillroom::cli {

/// One thing that a build or a run needs or can use.
struct Check {
    std::string name;
    std::string state;   ///< ok, missing or warning
    std::string detail;  ///< what was found, or what is absent
    std::string fix;     ///< how to get what is missing; empty where all is well
};

/// What `stillroom doctor` shows: tools, libraries, LibTorch, CUDA, devices, cores, memory, disk,
/// the network's settings. Looks at files and variables only: starts no process, opens no
/// connection, never shows a token. `root` stands for "/".
STILLROOM_API std::vector<Check> examine_machine(const std::filesystem::path& root = "/");

std::vector<Check> examine_tools(const std::filesystem::path& root);  ///< what builds the program
std::vector<Check> examine_hardware(const std::filesystem::path& root);  ///< what it can run on
std::vector<Check> examine_surroundings();  ///< its data, caches and settings

}  // namespace stillroom::cli
