#include "plugins/lm/parallel/nccl.h"

// What parallel/nccl.h declares is what NCCL's own header does. Compiled where there is one.
#if __has_include(<nccl.h>)

#include <nccl.h>

#include <cstddef>
#include <type_traits>

using namespace stillroom::lm;

namespace {

static_assert(sizeof(NcclId) == sizeof(ncclUniqueId));
static_assert(offsetof(NcclConfig, magic) == offsetof(ncclConfig_t, magic));
static_assert(offsetof(NcclConfig, version) == offsetof(ncclConfig_t, version));
static_assert(offsetof(NcclConfig, blocking) == offsetof(ncclConfig_t, blocking));
static_assert(sizeof(NcclConfig) <= sizeof(ncclConfig_t));

template <auto Ours, auto Theirs>
constexpr bool kSame = static_cast<int>(Ours) == static_cast<int>(Theirs);
static_assert(kSame<kNcclSuccess, ncclSuccess> && kSame<kNcclInProgress, ncclInProgress>);
static_assert(kSame<kNcclUint8, ncclUint8> && kSame<kNcclInt32, ncclInt32>);
static_assert(kSame<kNcclInt64, ncclInt64> && kSame<kNcclFloat16, ncclFloat16>);
static_assert(kSame<kNcclFloat32, ncclFloat32> && kSame<kNcclFloat64, ncclFloat64>);
static_assert(kSame<kNcclBfloat16, ncclBfloat16>);
static_assert(kSame<kNcclSum, ncclSum> && kSame<kNcclMax, ncclMax>);

using Comm = ncclComm_t;
using Stream = cudaStream_t;
using Type = ncclDataType_t;
using Result = ncclResult_t;
template <auto Function, class Expected>
constexpr bool kIs = std::is_same_v<decltype(Function), Expected>;
using Reduce = Result (*)(const void*, void*, std::size_t, Type, ncclRedOp_t, Comm, Stream);
static_assert(kIs<&ncclAllReduce, Reduce> && kIs<&ncclReduceScatter, Reduce>);
static_assert(kIs<&ncclAllGather, Result (*)(const void*, void*, std::size_t, Type, Comm, Stream)>);
static_assert(
    kIs<&ncclBroadcast, Result (*)(const void*, void*, std::size_t, Type, int, Comm, Stream)>);
static_assert(kIs<&ncclSend, Result (*)(const void*, std::size_t, Type, int, Comm, Stream)>);
static_assert(kIs<&ncclRecv, Result (*)(void*, std::size_t, Type, int, Comm, Stream)>);
static_assert(
    kIs<&ncclCommInitRankConfig, Result (*)(Comm*, int, ncclUniqueId, int, ncclConfig_t*)>);
static_assert(kIs<&ncclCommGetAsyncError, Result (*)(Comm, Result*)>);

}  // namespace

#endif
