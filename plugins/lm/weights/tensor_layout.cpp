#include "plugins/lm/weights/tensor_layout.h"

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "plugins/lm/weights/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace stillroom::lm {
namespace {

constexpr std::size_t kAlignment = 8;

[[noreturn]] void refuse_tensor(const TensorInfo& info, std::string_view why) {
    throw Error({}, fmt::format("cannot write tensor '{}': {}", shown(info.name), why))
        .exit_code(kExitInternal);
}

std::uint64_t bytes_of(const TensorInfo& info) {
    std::int64_t count = 1;
    std::uint64_t bits = 0;
    bool fits = true;
    for (std::int64_t size : info.shape)
        fits = fits && size >= 0 && !__builtin_mul_overflow(count, size, &count);
    if (!fits || __builtin_mul_overflow(static_cast<std::uint64_t>(count),
                                        static_cast<std::uint64_t>(bits_of(info.dtype)),
                                        &bits))
        refuse_tensor(info, fmt::format("{} is no shape", to_string(info.shape)));
    if (bits % 8 != 0)
        refuse_tensor(
            info,
            fmt::format("{} {} ends inside a byte", name_of(info.dtype), to_string(info.shape)));
    return bits / 8;
}

std::string header_json(const FileLayout& layout, const TensorMetadata& metadata) {
    JsonWriter json;
    json.begin_object();
    if (!metadata.empty()) {
        json.key("__metadata__");
        json.begin_object();
        for (const auto& [key, value] : metadata) {
            json.key(key);
            json.string(value);
        }
        json.end_object();
    }
    for (const TensorInfo& info : layout.tensors) {
        json.key(info.name);
        json.raw(fmt::format(R"({{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                             name_of(info.dtype),
                             fmt::join(info.shape, ","),
                             info.offset,
                             info.offset + info.bytes));
    }
    json.end_object();
    return json.take();
}

/// Which tensors lie together: indices, shard by shard.
std::vector<std::vector<std::size_t>> divide(const std::vector<TensorInfo>& tensors,
                                             std::uint64_t limit) {
    std::vector<std::vector<std::size_t>> shards;
    std::vector<std::size_t> open;
    std::uint64_t open_bytes = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        std::uint64_t bytes = bytes_of(tensors[i]);
        if (bytes > limit) {  // a shard of its own; the open one stays open and comes after it
            shards.push_back({i});
            continue;
        }
        if (bytes > limit - open_bytes) {
            shards.push_back(std::move(open));
            open.clear();
            open_bytes = 0;
        }
        open.push_back(i);
        open_bytes += bytes;
    }
    if (!open.empty() || shards.empty())
        shards.push_back(std::move(open));
    return shards;
}

std::string index_text(const ModelLayout& layout) {
    std::map<std::string_view, std::string_view> file_of;
    for (const FileLayout& file : layout.files)
        for (const TensorInfo& info : file.tensors)
            if (!file_of.emplace(info.name, file.name).second)
                refuse_tensor(info, "there are two of this name");
    JsonWriter json(2);
    json.begin_object();
    json.key("metadata");
    json.begin_object();
    json.key("total_parameters");
    json.raw(std::to_string(layout.parameters));
    json.key("total_size");
    json.raw(std::to_string(layout.tensor_bytes));
    json.end_object();
    json.key("weight_map");
    json.begin_object();
    for (const auto& [tensor, file] : file_of) {
        json.key(tensor);
        json.string(file);
    }
    json.end_object();
    json.end_object();
    return json.take() + "\n";
}

}  // namespace

FileLayout lay_out_file(std::string name,
                        const std::vector<TensorInfo>& tensors,
                        const TensorMetadata& metadata) {
    FileLayout layout;
    layout.name = std::move(name);
    layout.origin.resize(tensors.size());
    std::iota(layout.origin.begin(), layout.origin.end(), std::size_t{0});
    std::sort(layout.origin.begin(), layout.origin.end(), [&](std::size_t a, std::size_t b) {
        if (tensors[a].dtype != tensors[b].dtype)
            return tensors[a].dtype > tensors[b].dtype;
        return tensors[a].name < tensors[b].name;
    });
    std::uint64_t end = 0;
    for (std::size_t index : layout.origin) {
        TensorInfo& info = layout.tensors.emplace_back(tensors[index]);
        info.bytes = bytes_of(info);
        info.offset = end;
        if (info.bytes > INT64_MAX - end)
            refuse_tensor(info, "the file would be longer than a file can be");
        end += info.bytes;
    }
    std::vector<std::string_view> names;
    for (const TensorInfo& info : layout.tensors)
        names.push_back(info.name);
    std::sort(names.begin(), names.end());
    for (std::size_t i = 0; i < names.size(); ++i)
        if (names[i] == "__metadata__" || (i > 0 && names[i] == names[i - 1]))
            throw Error({}, fmt::format("cannot write two tensors '{}'", shown(names[i])))
                .exit_code(kExitInternal);
    std::string json = header_json(layout, metadata);
    json.append((kAlignment - json.size() % kAlignment) % kAlignment, ' ');
    if (json.size() > kMostHeaderBytes)
        throw Error({},
                    fmt::format("cannot write {}: a header of {} bytes is over the limit of {}",
                                layout.name,
                                json.size(),
                                kMostHeaderBytes))
            .exit_code(kExitInternal);
    for (std::size_t i = 0; i < 8; ++i)
        layout.header += static_cast<char>(std::uint64_t{json.size()} >> (8 * i));
    layout.header += json;
    for (TensorInfo& info : layout.tensors)
        info.offset += layout.header.size();
    layout.size = layout.header.size() + end;
    return layout;
}

ModelLayout lay_out_model(const std::vector<TensorInfo>& tensors, std::uint64_t max_shard_size) {
    ModelLayout layout;
    std::vector<std::vector<std::size_t>> shards = divide(tensors, max_shard_size);
    for (std::size_t i = 0; i < shards.size(); ++i) {
        std::vector<TensorInfo> members;
        for (std::size_t index : shards[i])
            members.push_back(tensors[index]);
        std::string name =
            shards.size() == 1
                ? "model.safetensors"
                : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
        FileLayout file = lay_out_file(std::move(name), members, kTorchFormat);
        for (std::size_t& origin : file.origin)
            origin = shards[i][origin];
        for (const TensorInfo& info : file.tensors) {
            layout.tensor_bytes += info.bytes;
            layout.parameters += static_cast<std::uint64_t>(elements(info.shape));
        }
        layout.files.push_back(std::move(file));
    }
    if (layout.files.size() > 1)
        layout.index = index_text(layout);
    return layout;
}

}  // namespace stillroom::lm
