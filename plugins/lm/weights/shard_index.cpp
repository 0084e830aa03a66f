#include "plugins/lm/weights/shard_index.h"

#include "engine/base/error.h"
#include "engine/base/json_value.h"
#include "engine/base/text.h"
#include "plugins/lm/weights/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

Error fault(const fs::path& path, std::string_view why) {
    return Error({}, fmt::format("cannot read {}: {}", path.string(), why))
        .exit_code(kExitBadInput);
}

ShardIndex read_fields(std::string_view text) {
    ShardIndex index;
    Json json = Json::parse(text, text.size());
    for (const Json::Member& member : json.at("weight_map").map())
        index.shard_of.emplace_back(member.key, member.value.string());
    const Json* metadata = json.find("metadata");
    if (const Json* size = metadata ? metadata->find("total_size") : nullptr)
        index.total_size = static_cast<std::uint64_t>(size->integer());
    return index;
}

}  // namespace

const std::string* ShardIndex::find(std::string_view tensor) const {
    auto found = std::lower_bound(
        shard_of.begin(), shard_of.end(), tensor, [](const auto& entry, std::string_view name) {
            return entry.first < name;
        });
    return found != shard_of.end() && found->first == tensor ? &found->second : nullptr;
}

ShardIndex read_shard_index(std::string_view text, const fs::path& path) {
    ShardIndex index;
    try {
        index = read_fields(text);
    } catch (const Error& error) {
        throw fault(path, error.what());
    }
    if (index.shard_of.empty())
        throw fault(path, "its weight_map names no tensor");
    if (index.shard_of.size() > kMostTensors)
        throw fault(
            path,
            fmt::format(
                "{} tensors are over the limit of {}", index.shard_of.size(), kMostTensors));
    std::sort(index.shard_of.begin(), index.shard_of.end());
    for (const auto& [tensor, shard] : index.shard_of)
        if (++index.tensors_in[shard] == 1)
            check_shard_name(shard, path);
    return index;
}

void check_shard_name(std::string_view name, const fs::path& index) {
    auto refuse = [&](int code, std::string_view why) {
        throw fault(index, fmt::format("shard '{}' {}", shown(name), why))
            .hint("an index names the safetensors files of its own folder and no other")
            .exit_code(code);
    };
    bool drive = name.size() > 1 && name[1] == ':';
    bool climbs = false;
    for (const std::string& part : split(name, '/'))
        climbs = climbs || part == "..";
    if (name.starts_with('/') || drive || climbs || name.find('\\') != std::string_view::npos)
        refuse(kExitPolicy, "leads out of the folder");
    for (char c : name)
        if (static_cast<unsigned char>(c) < 0x20)
            refuse(kExitBadInput, "has a control character in its name");
    if (!name.ends_with(".safetensors"))
        refuse(kExitBadInput, "is no .safetensors file");
}

}  // namespace stillroom::lm
