#include "engine/plugin/second_half.h"

#include "engine/base/error.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const std::string& why, const std::string& hint) {
    throw Error({}, why).hint(hint).exit_code(kExitResource);
}

}  // namespace

void* function_beside(const char* module, const char* function) {
    Dl_info caller{};
    const std::string name = std::string(module) + ".so";
    if (::dladdr(__builtin_return_address(0), &caller) == 0 || !caller.dli_fname)
        fail(fmt::format("nobody knows where {} lies", name), "");
    // The loader checked the folder and opened the first half through it: the same folder again.
    const fs::path file = fs::path(caller.dli_fname).parent_path() / name;
    std::error_code ignored;
    if (!fs::exists(file, ignored))
        fail(fmt::format("this build is without LibTorch: there is no {}", name),
             "./stillroom fetches LibTorch and builds with it; STILLROOM_TORCH names one");
    void* opened = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    void* found = opened ? ::dlsym(opened, function) : nullptr;
    if (!found) {
        const char* said = ::dlerror();
        fail(fmt::format("{} cannot be opened: {}", name, said ? said : "no symbol"),
             "ldd says which libraries it needs; was it built with this engine?");
    }
    return found;
}

}  // namespace stillroom
