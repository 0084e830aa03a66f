#include "plugins/checkpoint/small_files.h"

#include "engine/base/durable.h"

namespace stillroom::checkpoint {
namespace fs = std::filesystem;

lm::CopiedFiles copy_small_files(const fs::path& from,
                                 const FolderFiles& files,
                                 const fs::path& to,
                                 const std::set<std::string>& left_out) {
    std::vector<std::string> names;
    for (const std::string& name : files.small)
        if (!left_out.contains(name))
            names.push_back(name);
    return lm::copy_small_files(from, names, to);
}

void remove_small_files(const fs::path& folder, const std::set<std::string>& kept) {
    for (const std::string& name : list_files(folder).small)
        if (!kept.contains(name))
            remove_tree(folder / name);
}

}  // namespace stillroom::checkpoint
