#pragma once

#include "engine/base/descriptor.h"

#include <dirent.h>

#include <filesystem>

namespace stillroom {

/// The names in a folder, in no order, less "." and "..". Most folders are small and looked at
/// often, and readdir() would take 32 KiB of the heap for each look.
class FolderReader {
public:
    explicit FolderReader(const std::filesystem::path& folder);

    /// Null at the end, and where it cannot be read. Valid until the next call.
    const dirent64* next();

    int failure() const { return failure_; }  ///< errno of what could not be read, or 0

private:
    Descriptor folder_;
    int failure_ = 0;
    ssize_t at_ = 0, end_ = 0;
    alignas(dirent64) char entries_[4096];
};

}  // namespace stillroom
