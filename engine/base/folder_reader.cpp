#include "engine/base/folder_reader.h"

#include <fcntl.h>

#include <cerrno>
#include <string_view>

namespace stillroom {

FolderReader::FolderReader(const std::filesystem::path& folder)
    : folder_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (!folder_.is_open())
        failure_ = errno;
}

const dirent64* FolderReader::next() {
    while (failure_ == 0) {
        if (at_ == end_) {
            at_ = 0;
            end_ = ::getdents64(folder_.get(), entries_, sizeof entries_);
            if (end_ < 0)
                failure_ = errno;
            if (end_ <= 0) {
                end_ = 0;
                return nullptr;
            }
        }
        const auto* entry = reinterpret_cast<const dirent64*>(entries_ + at_);
        at_ += entry->d_reclen;
        if (std::string_view name = entry->d_name; name != "." && name != "..")
            return entry;
    }
    return nullptr;
}

}  // namespace stillroom
