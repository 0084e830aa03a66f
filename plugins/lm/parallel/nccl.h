#pragma once

#include <cstddef>
#include <cstdint>

// The few functions of NCCL that ranks on devices talk through, as its header declares them. The
// library is opened when the first communicator is made: a build needs neither it nor its header,
// and a process without a GPU never sees it. libtorch_cuda.so brings the same library along.

namespace stillroom::lm {

struct NcclComm;  // what ncclComm_t points to

struct NcclId {
    char bytes[128];
};

/// The beginning of ncclConfig_t, as of 2.14; `size` and `version` say that it ends here.
struct NcclConfig {
    std::size_t size = sizeof(NcclConfig);
    unsigned magic = 0xcafebeef;
    unsigned version = 21400;
    int blocking = 0;
};

enum NcclResult : int { kNcclSuccess = 0, kNcclInProgress = 7 };
enum NcclType : int {
    kNcclUint8 = 1,
    kNcclInt32 = 2,
    kNcclInt64 = 4,
    kNcclFloat16 = 6,
    kNcclFloat32 = 7,
    kNcclFloat64 = 8,
    kNcclBfloat16 = 9
};
enum NcclOperator : int { kNcclSum = 0, kNcclMax = 2 };

struct CudaStream;  // what cudaStream_t points to

struct NcclFunctions {
    int (*version)(int* version);
    const char* (*error_text)(int result);
    const char* (*last_error)(NcclComm*);
    int (*unique_id)(NcclId*);
    int (*init)(NcclComm**, int size, NcclId, int rank, NcclConfig*);
    int (*async_error)(NcclComm*, int* result);
    int (*finalize)(NcclComm*);
    int (*destroy)(NcclComm*);
    int (*abort)(NcclComm*);
    int (*all_reduce)(
        const void* from, void* to, std::size_t count, int type, int op, NcclComm*, CudaStream*);
    int (*all_gather)(const void* from, void* to, std::size_t, int type, NcclComm*, CudaStream*);
    int (*reduce_scatter)(
        const void* from, void* to, std::size_t count, int type, int op, NcclComm*, CudaStream*);
    int (*broadcast)(
        const void* from, void* to, std::size_t count, int type, int root, NcclComm*, CudaStream*);
    int (*send)(const void* from, std::size_t count, int type, int peer, NcclComm*, CudaStream*);
    int (*receive)(void* to, std::size_t count, int type, int peer, NcclComm*, CudaStream*);
};

/// Throws Error (exit 4) if there is no library, or none that knows them all.
const NcclFunctions& nccl();

}  // namespace stillroom::lm
