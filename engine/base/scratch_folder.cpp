#include "engine/base/scratch_folder.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/random.h"

#include <sys/stat.h>

#include <cerrno>
#include <exception>

namespace stillroom {

ScratchFolder::ScratchFolder(const std::filesystem::path& beginning)
    : path_(beginning.native() + random_name()) {
    if (retried([&] { return ::mkdir(path_.c_str(), 0700); }) != 0)
        refuse_write(path_, errno);
}

ScratchFolder::~ScratchFolder() {
    try {
        remove_tree(path_);
    } catch (const std::exception&) {  // also without memory; what is left is named for its maker
    }
}

}  // namespace stillroom
