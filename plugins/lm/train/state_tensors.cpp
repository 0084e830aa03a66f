#include "plugins/lm/train/state_tensors.h"

#include "engine/base/error.h"
#include "engine/base/files.h"

#include <fmt/format.h>

#include <functional>
#include <set>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void refuse(const fs::path& folder, const std::string& why) {
    throw Error({}, fmt::format("{}: {}", folder.string(), why)).exit_code(kExitBadInput);
}

using Find = std::function<std::optional<FolderTensor>(std::string_view)>;

void require_each(const fs::path& folder, const std::vector<TensorInfo>& wanted, const Find& find) {
    for (const TensorInfo& info : wanted) {
        std::optional<FolderTensor> found = find(info.name);
        if (!found)
            refuse(folder, fmt::format("tensor '{}' is missing", shown(info.name)));
        if (found->info->shape != info.shape || found->info->dtype != info.dtype)
            refuse(folder,
                   fmt::format("tensor '{}' is {} {}, not {} {}",
                               shown(info.name),
                               name_of(found->info->dtype),
                               to_string(found->info->shape),
                               name_of(info.dtype),
                               to_string(info.shape)));
    }
}

std::set<std::string_view> names_of(const std::vector<TensorInfo>& infos) {
    std::set<std::string_view> names;
    for (const TensorInfo& info : infos)
        names.insert(info.name);
    return names;
}

void refuse_unused(const fs::path& folder,
                   const std::vector<TensorFile>& files,
                   const std::vector<TensorInfo>& wanted) {
    std::set<std::string_view> names = names_of(wanted);
    for (const TensorFile& file : files)
        for (const TensorInfo& info : file.tensors())
            if (!names.contains(info.name))
                refuse(folder, fmt::format("tensor '{}' belongs to nothing", shown(info.name)));
}

}  // namespace

StateTensors StateTensors::open(const fs::path& folder) {
    StateTensors opened(TensorFolder::open(folder));
    std::set<std::string_view> names;
    for (const std::string& name : list_folder(folder))
        if (name.starts_with("optimizer-") && name.ends_with(".safetensors"))
            opened.optimizer_.push_back(TensorFile::open(folder / name));
    for (const TensorFile& file : opened.optimizer_)
        for (const TensorInfo& info : file.tensors())
            if (!names.insert(info.name).second)
                refuse(folder, fmt::format("tensor '{}' lies in two files", shown(info.name)));
    return opened;
}

std::optional<FolderTensor> StateTensors::find(std::string_view name) const {
    for (const TensorFile& file : optimizer_)
        if (const TensorInfo* info = file.find(name))
            return FolderTensor{&file, info};
    return std::nullopt;
}

FolderTensor StateTensors::at(std::string_view name) const {
    if (std::optional<FolderTensor> found = find(name))
        return *found;
    refuse(model_.path(), fmt::format("no tensor '{}' of the optimizer", shown(name)));
}

void StateTensors::require(const std::vector<TensorInfo>& model,
                           const std::vector<TensorInfo>& optimizer) const {
    const fs::path& folder = model_.path();
    require_each(folder, model, [&](std::string_view name) { return model_.find(name); });
    require_each(folder, optimizer, [&](std::string_view name) { return find(name); });
    refuse_unused(folder, model_.files(), model);
    refuse_unused(folder, optimizer_, optimizer);
}

void read_bytes(const FolderTensor& tensor, std::uint64_t offset, std::span<std::byte> into) {
    if (offset > tensor.info->bytes || into.size() > tensor.info->bytes - offset)
        throw Error({},
                    fmt::format("tensor '{}' has {} bytes, not {} from {} on",
                                shown(tensor.info->name),
                                tensor.info->bytes,
                                into.size(),
                                offset))
            .exit_code(kExitInternal);
    tensor.file->file().read(tensor.info->offset + offset, into);
}

}  // namespace stillroom::lm
