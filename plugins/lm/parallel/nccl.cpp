#include "plugins/lm/parallel/nccl.h"

#include "engine/base/error.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace stillroom::lm {
namespace {

constexpr const char* kLibrary = "libnccl.so.2";
constexpr int kOldest = 21400;  // communicators that do not block

Error missing(const std::string& why) {
    return Error({}, fmt::format("ranks on GPUs talk through NCCL: {}", why))
        .hint(
            "it comes with LibTorch's CUDA wheels: pip install nvidia-nccl-cu13; device=cpu does "
            "without")
        .exit_code(kExitResource);
}

template <class Function>
void take(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (function == nullptr)
        throw missing(fmt::format("{} has no {}", kLibrary, name));
}

NcclFunctions opened() {
    void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
        throw missing(dlerror());
    NcclFunctions f{};
    take(library, "ncclGetVersion", f.version);
    int version = 0;
    f.version(&version);
    if (version < kOldest)
        throw missing(
            fmt::format("{} is of version {}, and {} is the oldest that can be told to "
                        "give up",
                        kLibrary,
                        version,
                        kOldest));
    take(library, "ncclGetErrorString", f.error_text);
    take(library, "ncclGetLastError", f.last_error);
    take(library, "ncclGetUniqueId", f.unique_id);
    take(library, "ncclCommInitRankConfig", f.init);
    take(library, "ncclCommGetAsyncError", f.async_error);
    take(library, "ncclCommFinalize", f.finalize);
    take(library, "ncclCommDestroy", f.destroy);
    take(library, "ncclCommAbort", f.abort);
    take(library, "ncclAllReduce", f.all_reduce);
    take(library, "ncclAllGather", f.all_gather);
    take(library, "ncclReduceScatter", f.reduce_scatter);
    take(library, "ncclBroadcast", f.broadcast);
    take(library, "ncclSend", f.send);
    take(library, "ncclRecv", f.receive);
    return f;
}

}  // namespace

const NcclFunctions& nccl() {
    static const NcclFunctions functions = opened();
    return functions;
}

}  // namespace stillroom::lm
