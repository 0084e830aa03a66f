#include "plugins/lm/weights/staged_files.h"

#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "plugins/lm/weights/tensor_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <set>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

bool is_taken(const fs::path& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
}

void remove_file(const fs::path& path) {
    if (retried([&] { return ::unlink(path.c_str()); }) != 0 && errno != ENOENT)
        refuse_write(path, errno);
}

/// model-00001-of-00003.safetensors, as we and transformers name them.
bool is_shard_name(std::string_view name) {
    constexpr std::string_view kBegin = "model-", kMiddle = "-of-", kEnd = ".safetensors";
    if (!name.starts_with(kBegin) || !name.ends_with(kEnd) ||
        name.size() <= kBegin.size() + kEnd.size())
        return false;
    name = name.substr(kBegin.size(), name.size() - kBegin.size() - kEnd.size());
    std::size_t middle = name.find(kMiddle);
    if (middle == std::string_view::npos)
        return false;
    auto is_number = [](std::string_view text) {
        return text.size() >= 5 &&
               std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    };
    return is_number(name.substr(0, middle)) && is_number(name.substr(middle + kMiddle.size()));
}

}  // namespace

StagedFiles::StagedFiles(fs::path folder, bool sync) : folder_(std::move(folder)), sync_(sync) {
    std::random_device random;
    passing_ = fmt::format(".{:08x}{:08x}.tmp", random(), random());
    make_folders(folder_);
}

StagedFiles::~StagedFiles() {
    if (!committed_)
        for (const std::string& name : names_)
            ::unlink((folder_ / (name + passing_)).c_str());
}

fs::path StagedFiles::add(const std::string& name) {
    names_.push_back(name);
    fs::path path = folder_ / (name + passing_);
    make_folders(path.parent_path());
    return path;
}

void StagedFiles::written(const FileRecord& record) {
    records_.push_back({names_.back(), record.size, record.digest, {}});
}

std::vector<FileRecord> StagedFiles::commit(const std::string& index) {
    // Renaming is quick but not one step. So that a folder half renamed is never taken for a model,
    // the old index goes before the first of its shards is replaced.
    bool replaces = std::any_of(
        names_.begin(), names_.end(), [&](const auto& name) { return is_taken(folder_ / name); });
    if (replaces && names_.size() > 1) {
        remove_file(folder_ / kModelIndex);
        sync_below(folder_);
    }
    std::set<fs::path> folders = {folder_};
    for (const std::string& name : names_) {
        fs::path path = folder_ / name;
        rename_path(folder_ / (name + passing_), path);
        folders.insert(path.parent_path());
    }
    committed_ = true;
    for (const fs::path& folder : folders)
        sync_below(folder);
    if (!index.empty()) {
        names_.emplace_back(kModelIndex);
        replace_file(folder_ / kModelIndex, index, sync_);
        records_.push_back({names_.back(), index.size(), digest_of(index), {}});
    }
    remove_older();
    for (FileRecord& record : records_)
        record.stamp = stamp_of(folder_ / record.path);
    return std::move(records_);
}

void StagedFiles::sync_below(const fs::path& folder) const {
    if (sync_)
        sync_folder(folder);
}

void StagedFiles::remove_older() {
    for (const std::string& name : list_folder(folder_)) {
        bool ours = std::find(names_.begin(), names_.end(), name) != names_.end();
        if (!ours && (is_shard_name(name) || name == kWholeModel || name == kModelIndex))
            remove_file(folder_ / name);
    }
    sync_below(folder_);
}

}  // namespace stillroom::lm
