#include "plugins/checkpoint/partial_folder.h"

#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "engine/base/sha256.h"
#include "plugins/checkpoint/small_files.h"
#include "plugins/lm/weights/tensor_folder.h"

#include <algorithm>
#include <set>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

constexpr const char* kConfig = "config.json";

bool is_folder(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
}

fs::path real_place(const fs::path& to) {
    std::error_code failure;
    fs::path real = fs::weakly_canonical(fs::absolute(to), failure);
    return failure ? fs::absolute(to) : real;
}

/// Weights of an older save that the new one has not.
void remove_stale_weights(const fs::path& folder, const std::set<std::string>& kept) {
    for (const std::string& name : list_folder(folder)) {
        bool weights = name == lm::kWholeModel || name == lm::kModelIndex ||
                       (name.starts_with("model-") && name.ends_with(".safetensors"));
        if (weights && !kept.contains(name))
            remove_tree(folder / name);
    }
}

}  // namespace

PartialFolder::PartialFolder(const fs::path& to, std::string_view mark)
    : to_(real_place(to)),
      inside_(is_folder(to_)) {
    std::string end = ".partial-" + sha256_hex(mark).substr(0, 12);
    if (to_.filename().empty())
        to_ = to_.parent_path();
    path_ = inside_ ? to_ / end : to_.parent_path() / ("." + to_.filename().string() + end);
    remove_tree(path_);
    make_folders(path_);
}

PartialFolder::~PartialFolder() {
    std::error_code ignored;
    if (!path_.empty())
        fs::remove_all(path_, ignored);
}

void PartialFolder::publish(const std::vector<std::string>& files) {
    sync_folder(path_);
    if (inside_) {
        replace_files(files);
        remove_tree(path_);
    } else {
        rename_path(path_, to_);
        sync_folder(to_.parent_path());
    }
    path_.clear();
}

void PartialFolder::replace_files(std::vector<std::string> files) {
    remove_tree(to_ / kConfig);
    sync_folder(to_);
    std::stable_partition(
        files.begin(), files.end(), [](const std::string& name) { return name != kConfig; });
    std::set<std::string> kept(files.begin(), files.end());
    for (const std::string& name : files) {
        if (name == kConfig) {  // the last one
            remove_stale_weights(to_, kept);
            remove_small_files(to_, kept);
            sync_folder(to_);
        }
        make_folders((to_ / name).parent_path());
        rename_path(path_ / name, to_ / name);
    }
    sync_folder(to_);
}

}  // namespace stillroom::checkpoint
