#pragma once

#include "engine/base/digest.h"

#include <filesystem>
#include <string>
#include <vector>

namespace stillroom::lm {

/// The files of a model on their way into a folder: each is written under a passing name, and when
/// all are whole they get their own at once. What was not committed goes.
class StagedFiles {
public:
    /// `sync`: commit() waits for the disk.
    explicit StagedFiles(std::filesystem::path folder, bool sync = true);
    ~StagedFiles();
    StagedFiles(const StagedFiles&) = delete;
    StagedFiles& operator=(const StagedFiles&) = delete;

    /// Where to write the file of this name, which may lie in a folder below.
    std::filesystem::path add(const std::string& name);

    void written(const FileRecord& record);  ///< of the one that was added last

    /// Names the files, writes the index if there is a text, removes what an older save left. With
    /// the digests of all, whose paths are relative to the folder.
    std::vector<FileRecord> commit(const std::string& index);

private:
    void remove_older();
    void sync_below(const std::filesystem::path& folder) const;

    std::filesystem::path folder_;
    std::string passing_;  // end of the passing names
    std::vector<std::string> names_;
    std::vector<FileRecord> records_;
    bool sync_;
    bool committed_ = false;
};

}  // namespace stillroom::lm
