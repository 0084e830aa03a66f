// Any bytes are an index. What is accepted names files below the folder only.

#include "engine/base/error.h"
#include "plugins/lm/weights/shard_index.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

void use(const stillroom::lm::ShardIndex& index) {
    std::size_t tensors = 0;
    for (const auto& [shard, count] : index.tensors_in) {
        std::string path = (std::filesystem::path("/folder") / shard).lexically_normal().string();
        require(path.starts_with("/folder/") && path.size() > 8, "a shard lies below the folder");
        require(path.ends_with(".safetensors"), "a shard is a safetensors file");
        require(path.find('\0') == std::string::npos, "a path is not cut");
        tensors += count;
    }
    require(tensors == index.shard_of.size(), "each tensor is in one shard");
    for (const auto& [tensor, shard] : index.shard_of)
        require(*index.find(tensor) == shard, "a name leads to its shard");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        use(stillroom::lm::read_shard_index({reinterpret_cast<const char*>(data), size}, "index"));
    } catch (const stillroom::Error& error) {
        require(error.exit_code() == stillroom::kExitBadInput ||
                    error.exit_code() == stillroom::kExitPolicy,
                "it is the input that is bad");
    }
    return 0;
}
