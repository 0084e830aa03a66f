// A model that was split: llama.cpp writes NAME-00001-of-00003.gguf and so on. The first file has
// the keys, each has tensors of its own, and all say how many there are and which they are.

#include "engine/base/text.h"
#include "plugins/lm/weights/gguf.h"

#include <fmt/format.h>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kMostParts = 999;  // each is mapped
constexpr const char* kMerge = "llama-gguf-split --merge FIRST OUTPUT makes one file of them";

std::string ending(std::int64_t part, std::int64_t count) {
    return fmt::format("-{:05}-of-{:05}.gguf", part + 1, count);
}

}  // namespace

std::vector<fs::path> GgufFile::parts() const {
    std::vector<fs::path> out{path()};
    for (const MappedFile& other : others_)
        out.push_back(other.path());
    return out;
}

void GgufFile::join_parts() {
    const std::int64_t count = *integer("split.count");
    if (count > kMostParts)
        refuse(fmt::format("split.count is {}, over the limit of {} files", count, kMostParts),
               kMerge);
    std::string name = path().filename();
    if (integer("split.no").value_or(-1) != 0)
        refuse(fmt::format("it is one of {} files of a model that was split, and not the first",
                           count),
               fmt::format("name the one that ends with {}", ending(0, count)));
    if (!name.ends_with(ending(0, count)))
        refuse(fmt::format(
                   "it is the first of {} files, whose name ends with {}", count, ending(0, count)),
               "the others are found by that name");
    name.resize(name.size() - ending(0, count).size());
    for (std::int64_t part = 1; part < count; ++part) {
        fs::path file = path().parent_path() / (name + ending(part, count));
        std::error_code ignored;
        if (!fs::exists(file, ignored))
            refuse(fmt::format("file {} of {} is not beside it: {}",
                               part + 1,
                               count,
                               escape_controls(file.filename().string())),
                   "all files of a split model lie in one folder");
        GgufFile other = open_one(file);
        if (other.integer("split.no") != part || other.integer("split.count") != count)
            other.refuse(fmt::format("it does not say that it is file {} of {}", part + 1, count));
        for (GgufTensor& tensor : other.tensors_) {
            tensor.part = static_cast<std::size_t>(part);
            tensors_.push_back(std::move(tensor));
        }
        others_.push_back(std::move(other.file_));
    }
    std::optional<std::int64_t> said = integer("split.tensors.count");
    if (said && *said != std::ssize(tensors_))
        refuse(fmt::format(
            "split.tensors.count is {}, the {} files have {}", *said, count, tensors_.size()));
    by_name_.clear();
    for (std::size_t i = 0; i < tensors_.size(); ++i)
        if (!by_name_.emplace(tensors_[i].name, i).second)
            refuse(fmt::format("the tensor '{}' is in two of its files",
                               escape_controls(tensors_[i].name)));
}

}  // namespace stillroom::lm
