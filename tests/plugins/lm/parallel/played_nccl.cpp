#include "tests/plugins/lm/parallel/played_stream.h"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

// libnccl.so.2 for ranks that are threads of one process: the functions that parallel/nccl.h takes,
// with NCCL's manners. Nothing blocks: what was asked for is under way and ends when all have come,
// or when the communicator is ended.

extern "C" {

struct ncclComm;
using ncclComm_t = ncclComm*;
struct ncclUniqueId {
    char bytes[128];
};
using Count = std::size_t;
using Stream = PlayedStream*;

enum { kSuccess = 0, kInvalid = 4, kInProgress = 7 };

#define PLAYED __attribute__((visibility("default")))
}

namespace {

/// Ranks with one id.
struct Table {
    std::mutex mutex;
    std::condition_variable changed;
    int size = 0, came = 0;
    bool ended = false;
    std::map<int, std::vector<std::vector<char>>> brought;  ///< at each turn, by rank
    std::map<int, int> present;                             ///< at each turn
};

std::mutex tables_mutex;
std::map<std::string, std::shared_ptr<Table>> tables;
std::atomic<int> next_id = 1;

double number(const char* at, int type) {
    if (type == 4) {
        std::int64_t x;
        std::memcpy(&x, at, sizeof x);
        return static_cast<double>(x);
    }
    float x;
    std::memcpy(&x, at, sizeof x);
    return x;
}

void put(char* at, int type, double value) {
    auto whole = static_cast<std::int64_t>(value);
    auto real = static_cast<float>(value);
    type == 4 ? std::memcpy(at, &whole, 8) : std::memcpy(at, &real, 4);
}

std::size_t size_of(int type) {
    return type == 4 ? 8 : 4;
}

/// All ranks' numbers of one place together.
std::vector<char> reduced(const std::vector<std::vector<char>>& parts, int type, int op) {
    std::vector<char> out = parts[0];
    for (std::size_t at = 0; at < out.size(); at += size_of(type))
        for (std::size_t rank = 1; rank < parts.size(); rank++) {
            double a = number(&out[at], type), b = number(&parts[rank][at], type);
            put(&out[at], type, op == 2 ? std::max(a, b) : a + b);
        }
    return out;
}

}  // namespace

struct ncclComm {
    std::shared_ptr<Table> table;
    int rank = 0, turn = 0;

    /// Brings `bytes` to the next turn; `take` gets everybody's when all are there.
    int meet(const void* from,
             Count bytes,
             Stream stream,
             std::function<void(const std::vector<std::vector<char>>&)> take) {
        const char* first = static_cast<const char*>(from);
        std::vector<char> mine(first, first + bytes);
        int ticket = ++stream->begun, now = turn++;
        std::thread([table = table, rank = rank, mine, now, stream, ticket, take] {
            std::unique_lock lock(table->mutex);
            auto& brought = table->brought[now];
            brought.resize(static_cast<std::size_t>(table->size));
            brought[static_cast<std::size_t>(rank)] = mine;
            table->present[now]++;
            table->changed.notify_all();
            auto all_came = [&] { return table->present[now] == table->size; };
            table->changed.wait(lock, [&] { return table->ended || all_came(); });
            if (all_came())  // though another may have left since
                take(brought);
            while (stream->ended != ticket - 1) {  // in the stream's order
                lock.unlock();
                std::this_thread::yield();
                lock.lock();
            }
            stream->ended = ticket;
        }).detach();
        return kSuccess;
    }
};

extern "C" {

PLAYED int ncclGetVersion(int* version) {
    *version = 22809;
    return kSuccess;
}
PLAYED const char* ncclGetErrorString(int result) {
    return result == kInvalid ? "invalid argument" : "played";
}
PLAYED const char* ncclGetLastError(ncclComm_t) {
    return "";
}
PLAYED int ncclGetUniqueId(ncclUniqueId* id) {
    std::memset(id, 0, sizeof *id);
    std::string name = std::to_string(next_id++);
    std::memcpy(id->bytes, name.data(), name.size());
    return kSuccess;
}
PLAYED int ncclCommInitRankConfig(
    ncclComm_t* comm, int size, ncclUniqueId id, int rank, void* config) {
    unsigned fields[3];
    std::memcpy(fields, static_cast<char*>(config) + 8, sizeof fields);
    if (fields[0] != 0xcafebeef || fields[2] != 0)
        return kInvalid;
    std::lock_guard lock(tables_mutex);
    std::shared_ptr<Table>& table = tables[id.bytes];
    if (!table)
        table = std::make_shared<Table>();
    std::lock_guard inside(table->mutex);
    table->size = size;
    table->came++;
    *comm = new ncclComm{.table = table, .rank = rank};
    return kInProgress;
}
PLAYED int ncclCommGetAsyncError(ncclComm_t comm, int* result) {
    std::lock_guard lock(comm->table->mutex);
    *result = comm->table->came < comm->table->size ? kInProgress : kSuccess;
    return kSuccess;
}
PLAYED int ncclCommFinalize(ncclComm_t) {
    return kSuccess;
}
PLAYED int ncclCommDestroy(ncclComm_t comm) {
    delete comm;
    return kSuccess;
}
PLAYED int ncclCommAbort(ncclComm_t comm) {
    {
        std::lock_guard lock(comm->table->mutex);
        comm->table->ended = true;
    }
    comm->table->changed.notify_all();
    delete comm;
    return kSuccess;
}
PLAYED int ncclAllReduce(
    const void* from, void* to, Count count, int type, int op, ncclComm_t comm, Stream stream) {
    return comm->meet(from, count * size_of(type), stream, [=](auto& parts) {
        std::vector<char> sum = reduced(parts, type, op);
        std::memcpy(to, sum.data(), sum.size());
    });
}
PLAYED int ncclAllGather(
    const void* from, void* to, Count count, int type, ncclComm_t comm, Stream stream) {
    return comm->meet(from, count * size_of(type), stream, [=](auto& parts) {
        char* into = static_cast<char*>(to);
        for (const std::vector<char>& part : parts)
            into = std::copy(part.begin(), part.end(), into);
    });
}
PLAYED int ncclReduceScatter(
    const void* from, void* to, Count count, int type, int op, ncclComm_t comm, Stream stream) {
    Count bytes = count * size_of(type);
    return comm->meet(
        from, bytes * static_cast<Count>(comm->table->size), stream, [=](auto& parts) {
            std::vector<char> sum = reduced(parts, type, op);
            std::memcpy(to, sum.data() + bytes * static_cast<Count>(comm->rank), bytes);
        });
}
PLAYED int ncclBroadcast(
    const void* from, void* to, Count count, int type, int root, ncclComm_t comm, Stream stream) {
    return comm->meet(from, count * size_of(type), stream, [=](auto& parts) {
        const std::vector<char>& told = parts[static_cast<std::size_t>(root)];
        std::memcpy(to, told.data(), told.size());
    });
}
PLAYED int ncclSend(const void* from, Count count, int type, int, ncclComm_t comm, Stream stream) {
    return comm->meet(from, count * size_of(type), stream, [](auto&) {});
}
PLAYED int ncclRecv(void* to, Count count, int type, int peer, ncclComm_t comm, Stream stream) {
    return comm->meet(to, count * size_of(type), stream, [=](auto& parts) {
        const std::vector<char>& sent = parts[static_cast<std::size_t>(peer)];
        std::memcpy(to, sent.data(), sent.size());
    });
}
}
