#include "plugins/lm/weights/tensor_folder.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "plugins/lm/weights/shard_index.h"
#include "plugins/lm/weights/tower_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostIndexBytes = std::size_t{512} << 20;  // a million tensors, long names

Error fault(const fs::path& path, std::string_view why) {
    return Error({}, fmt::format("cannot read {}: {}", path.string(), why))
        .exit_code(kExitBadInput);
}

bool is_there(const fs::path& path) {
    std::error_code error;  // a dangling link is there, and refused when it is opened
    return fs::symlink_status(path, error).type() != fs::file_type::not_found;
}

std::string shell_quoted(const std::string& text) {
    std::string out = "'";
    for (char c : text)
        c == '\'' ? out += "'\\''" : out += c;
    return out + "'";
}

[[noreturn]] void refuse_without_weights(const fs::path& folder) {
    if (!fs::is_directory(folder))
        throw fault(folder, is_there(folder) ? "it is no folder" : "no such folder");
    std::vector<std::string> pickles, ggufs;
    for (const std::string& name : list_folder(folder)) {
        for (std::string_view end : {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})
            if (name.ends_with(end))
                pickles.push_back(name);
        if (name.ends_with(".gguf"))
            ggufs.push_back(name);
    }
    if (pickles.empty()) {
        Error error =
            fault(folder, fmt::format("it holds neither {} nor {}", kWholeModel, kModelIndex));
        if (!ggufs.empty())
            error.hint(fmt::format("name the file itself: {}", (folder / ggufs[0]).string()));
        throw error;
    }
    std::string model = fs::absolute(folder).lexically_normal().string();
    if (model.ends_with('/'))
        model.pop_back();
    throw Error(
        {},
        fmt::format("{} has its weights as pickle alone ({}), which is a program, not data, "
                    "and is never opened",
                    folder.string(),
                    shown(pickles[0])))
        .hint(fmt::format("if you trust where it comes from, convert it: python3 -c \"import sys, "
                          "transformers as "
                          "t; t.AutoModelForCausalLM.from_pretrained(sys.argv[1], "
                          "dtype='auto').save_pretrained(sys.argv[2])\" {} {}",
                          shell_quoted(model),
                          shell_quoted(model + "-safetensors")))
        .exit_code(kExitPolicy);
}

ShardIndex read_index(const fs::path& path) {
    std::string text;
    try {
        text = read_file(path, kMostIndexBytes);
    } catch (Error& error) {
        error.exit_code(kExitBadInput);
        throw;
    }
    return read_shard_index(text, path);
}

void check_missing(const fs::path& folder, const fs::path& path, const ShardIndex& index) {
    std::vector<std::string> missing;
    std::size_t tensors = 0;
    for (const auto& [shard, count] : index.tensors_in)
        if (!is_there(folder / shard)) {
            missing.push_back(shown(shard));
            tensors += count;
        }
    if (missing.empty())
        return;
    std::size_t more = missing.size() > 4 ? missing.size() - 4 : 0;
    missing.resize(missing.size() - more);
    if (more)
        missing.push_back(fmt::format("{} more", more));
    throw fault(path,
                fmt::format("{} of its {} shards missing, with {} of {} tensors: {}",
                            missing.size() - (more > 0) + more,
                            index.tensors_in.size(),
                            tensors,
                            index.shard_of.size(),
                            join(missing)))
        .hint("was a download broken off?");
}

/// Each tensor of the shard is there by the index, and in no other shard.
void check_shard(const TensorFile& file, const std::string& shard, const ShardIndex& index) {
    for (const TensorInfo& info : file.tensors()) {
        const std::string* wanted = index.find(info.name);
        if (!wanted)
            throw fault(file.path(),
                        fmt::format("it holds tensor '{}', which the index does not name",
                                    shown(info.name)));
        if (*wanted != shard)
            throw fault(file.path(),
                        fmt::format("it holds tensor '{}', which lies in {} by the index",
                                    shown(info.name),
                                    shown(*wanted)));
    }
}

}  // namespace

TensorFolder TensorFolder::open(const fs::path& folder) {
    TensorFolder opened;
    opened.path_ = folder;
    opened.has_index_ = is_there(folder / kModelIndex);
    if (opened.has_index_)
        opened.open_shards();
    else if (is_there(folder / kWholeModel))
        opened.files_.push_back(TensorFile::open(folder / kWholeModel));
    else
        refuse_without_weights(folder);
    opened.index_tensors();
    return opened;
}

void TensorFolder::open_shards() {
    fs::path path = path_ / kModelIndex;
    ShardIndex index = read_index(path);
    // Some readers take the one, some the other: nobody can say which model this is.
    if (is_there(path_ / kWholeModel) && !index.tensors_in.contains(std::string(kWholeModel)))
        throw fault(path_,
                    fmt::format("it holds both {} and an index that does not name it", kWholeModel))
            .hint("one of the two is left over from an older save: remove it");
    check_missing(path_, path, index);
    for (const auto& [shard, count] : index.tensors_in) {
        files_.push_back(TensorFile::open(path_ / shard));
        check_shard(files_.back(), shard, index);
    }
    std::uint64_t bytes = 0;
    for (const TensorFile& file : files_)
        for (const TensorInfo& info : file.tensors())
            bytes += info.bytes;
    for (const auto& [tensor, shard] : index.shard_of) {
        auto place = index.tensors_in.find(shard);
        auto number = std::distance(index.tensors_in.begin(), place);
        if (!files_[static_cast<std::size_t>(number)].find(tensor))
            throw fault(path, fmt::format("tensor '{}' is not in {}", shown(tensor), shown(shard)));
    }
    if (index.total_size && *index.total_size != bytes)
        throw fault(
            path,
            fmt::format(
                "its total_size is {}, the tensors take {} bytes", *index.total_size, bytes));
}

void TensorFolder::index_tensors() {
    std::size_t all = 0;
    for (const TensorFile& file : files_)
        all += file.tensors().size();
    const TowerNames names = tower_names(files_);
    if (names.renames())
        renamed_.reserve(all);  // they are pointed at
    for (const TensorFile& file : files_)
        for (const TensorInfo& info : file.tensors()) {
            if (is_of_other_tower(info.name)) {
                left_out_.push_back(info.name);
                continue;
            }
            const TensorInfo* shown = &info;
            if (std::string plain = names.plain(info.name); plain != info.name) {
                renamed_.push_back(info);
                renamed_.back().name = std::move(plain);
                shown = &renamed_.back();
            }
            tensors_.push_back({&file, shown});
            tensor_bytes_ += info.bytes;
        }
    by_name_.resize(tensors_.size());
    std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
    std::sort(by_name_.begin(), by_name_.end(), [&](std::size_t a, std::size_t b) {
        return tensors_[a].info->name < tensors_[b].info->name;
    });
    for (std::size_t i = 1; i < by_name_.size() && !renamed_.empty(); ++i)
        if (const std::string& name = tensors_[by_name_[i]].info->name;
            tensors_[by_name_[i - 1]].info->name == name)
            throw fault(path_,
                        fmt::format("it holds '{}' under two names: of a decoder alone, and of "
                                    "one among other towers",
                                    shown(name)));
}

std::optional<FolderTensor> TensorFolder::find(std::string_view name) const {
    auto found = std::lower_bound(
        by_name_.begin(), by_name_.end(), name, [&](std::size_t index, std::string_view wanted) {
            return tensors_[index].info->name < wanted;
        });
    if (found == by_name_.end() || tensors_[*found].info->name != name)
        return std::nullopt;
    return tensors_[*found];
}

FolderTensor TensorFolder::at(std::string_view name) const {
    if (std::optional<FolderTensor> found = find(name))
        return *found;
    throw Error({}, fmt::format("{} holds no tensor '{}'", path_.string(), shown(name)))
        .exit_code(kExitBadInput);
}

void TensorFolder::check() const {
    for (const TensorFile& file : files_)
        file.check();
}

}  // namespace stillroom::lm
