#pragma once

#include "engine/base/digest.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::checkpoint {

/// A model folder of somebody's on its way to its name: written beside it, looked at there, and
/// then put in its place, so that the name holds a whole model or none. Not published, it goes.
///
/// Where the folder is there already (and may be written to, which the engine has asked) files take
/// the place of files: config.json goes first and comes last, so that half of it is no model. What
/// others put there stays.
class PartialFolder {
public:
    /// `mark` is the writer's own: what it left when it was cut off is removed. Throws Error (exit
    /// 4).
    PartialFolder(const std::filesystem::path& to, std::string_view mark);
    ~PartialFolder();
    PartialFolder(const PartialFolder&) = delete;
    PartialFolder& operator=(const PartialFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }

    /// `files` are all that were written, relative.
    void publish(const std::vector<std::string>& files);

private:
    void replace_files(std::vector<std::string> files);

    std::filesystem::path to_, path_;
    bool inside_ = false;
};

}  // namespace stillroom::checkpoint
