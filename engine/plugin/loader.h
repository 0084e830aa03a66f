#pragma once

#include "engine/base/api.h"
#include "engine/plugin/registry.h"

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// A plugin's module, opened: its code is in this process and stays. Only workers do this.
class STILLROOM_API Plugin {
public:
    /// Throws Error: exit 2 where there is no such file; 10 where it must not be loaded (it or its
    /// folder may be written by anybody, or belongs to somebody else), is no plugin, or was built
    /// for another engine; 4 where a library that it needs is missing.
    static std::shared_ptr<const Plugin> open(const std::filesystem::path& file);

    const std::filesystem::path& file() const { return file_; }
    const std::string& name() const { return name_; }
    const std::string& version() const { return version_; }
    const std::string& build() const { return build_; }  ///< build id, else SHA-256 of the file
    std::vector<std::string> stages() const { return registry_.stages(); }

    /// See Registry::make. `settings`: as JSON, checked.
    std::unique_ptr<Stage> make_stage(std::string_view use, std::string_view settings) const;

private:
    Plugin(std::filesystem::path file, std::string name, std::string version, std::string build);

    std::filesystem::path file_;
    std::string name_, version_, build_;
    Registry registry_;
};

/// The module of stage `p.s`: p.so in one of the folders, or a file of that name. Two different
/// ones are an error that names both, as two schemas of one stage are. Throws Error (exit 2) naming
/// the places looked at, or saying that the stage's code is still `to_come`.
STILLROOM_API std::filesystem::path find_module(
    std::string_view use,
    const std::vector<std::filesystem::path>& folders_and_files,
    const std::set<std::string, std::less<>>& to_come = {});

/// The plugins of one process, each opened when a stage of it is first asked for.
class STILLROOM_API Plugins {
public:
    explicit Plugins(std::vector<std::filesystem::path> folders_and_files,
                     std::set<std::string, std::less<>> to_come = {})
        : places_(std::move(folders_and_files)),
          to_come_(std::move(to_come)) {}

    const Plugin& of_stage(std::string_view use);

private:
    std::vector<std::filesystem::path> places_;
    std::set<std::string, std::less<>> to_come_;
    std::map<std::string, std::shared_ptr<const Plugin>, std::less<>> open_;
};

}  // namespace stillroom
