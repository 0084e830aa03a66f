#include "plugins/checkpoint/logits_check.h"

#include "engine/base/error.h"
#include "engine/base/units.h"
#include "plugins/checkpoint/philox.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kIds = 32;

/// checkpoint_logits.so beside the module that this code is in.
fs::path module_path() {
    Dl_info info{};
    if (::dladdr(reinterpret_cast<const void*>(&check_ids), &info) == 0 || !info.dli_fname)
        return {};
    return fs::path(info.dli_fname).parent_path() / "checkpoint_logits.so";
}

/// Null, with why: it stays open, for LibTorch registers into the process.
StillroomCompareLogits open_module(std::string& why) {
    fs::path path = module_path();
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
        why = "this build is without LibTorch";
        return nullptr;
    }
    void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    void* symbol = module ? ::dlsym(module, kCompareLogitsSymbol) : nullptr;
    if (!symbol) {
        const char* said = ::dlerror();
        why = fmt::format("{} cannot be opened: {}", path.string(), said ? said : "no symbol");
    }
    return reinterpret_cast<StillroomCompareLogits>(symbol);
}

std::uint64_t available_memory() {
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, Close> file(std::fopen("/proc/meminfo", "re"));
    char line[256];
    unsigned long long kilobytes = 0;
    while (file && std::fgets(line, sizeof line, file.get()))
        if (std::sscanf(line, "MemAvailable: %llu", &kilobytes) == 1)
            return kilobytes * 1024;
    return 0;
}

}  // namespace

std::vector<std::int64_t> check_ids(std::int64_t vocab) {
    std::vector<std::int64_t> ids;
    for (std::uint32_t i = 0; i < kIds / 4; ++i)
        for (std::uint32_t word : philox({i, 0, 0, 0}, {0x57495448, 0x4c4f4749}))
            ids.push_back(static_cast<std::int64_t>(word) % vocab);
    return ids;
}

std::string why_no_logits(std::uint64_t needed) {
    std::string why;
    if (!open_module(why))
        return why;
    std::uint64_t available = available_memory();
    if (available > 0 && needed > available / 2)
        return fmt::format(
            "that takes {} of memory, {} are free", size_text(needed), size_text(available));
    return {};
}

StillroomLogitsDifference compare_logits(const fs::path& folder,
                                         const fs::path& other,
                                         const std::vector<std::int64_t>& ids,
                                         int threads) {
    std::string why;
    StillroomCompareLogits compare = open_module(why);
    if (!compare)
        throw Error({}, fmt::format("logits cannot be compared: {}", why))
            .key("check")
            .hint("check=tensors compares every tensor and needs no LibTorch")
            .exit_code(kExitResource);
    StillroomLogitsDifference out;
    compare(folder.c_str(), other.c_str(), ids.data(), ids.size(), threads, &out);
    if (out.exit_code != 0)
        throw Error({}, out.message).exit_code(out.exit_code);
    return out;
}

}  // namespace stillroom::checkpoint
