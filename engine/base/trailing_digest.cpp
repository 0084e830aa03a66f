#include "engine/base/trailing_digest.h"

#include "engine/base/chunk_hasher.h"
#include "engine/base/descriptor.h"
#include "engine/base/durable.h"

#include <fcntl.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace stillroom {
namespace fs = std::filesystem;

struct TrailingDigest::State {
    static constexpr std::uint64_t kPair = 2 * kDigestChunk;

    explicit State(fs::path path) : file(std::move(path)) {
        descriptor =
            Descriptor(retried([&] { return ::open(file.c_str(), O_RDONLY | O_CLOEXEC); }));
        if (!descriptor.is_open())
            refuse_to_hash(file, std::strerror(errno));
    }

    ~State() { stop(); }

    void stop() {
        {
            std::lock_guard lock(mutex);
            stopped = true;
        }
        news.notify_all();
        if (other.joinable())
            other.join();
    }

    void reach(std::uint64_t size) {
        bool begins = false;
        {
            std::lock_guard lock(mutex);
            written = size;
            begins = !other.joinable() && written >= kPair;
        }
        if (begins)
            other = std::thread([this] { work(); });
        else
            news.notify_all();
    }

    /// Pairs of chunks that are whole, and at the end what is left.
    void work() {
        try {
            ChunkHasher hasher(kPair);
            for (;;) {
                std::unique_lock lock(mutex);
                news.wait(lock, [&] { return stopped || ended || (next + 1) * kPair <= written; });
                if (stopped || next * kPair >= written)
                    return;
                std::uint64_t pair = next++, size = std::min((pair + 1) * kPair, written);
                lock.unlock();
                PlainSha256::Hash found[2];
                hasher.pair({descriptor.get(), size, file}, 2 * pair, found);
                lock.lock();
                std::uint64_t chunks = (size + kDigestChunk - 1) / kDigestChunk;
                hashes.resize(std::max<std::size_t>(hashes.size(), chunks));
                for (std::uint64_t i = 2 * pair; i < chunks; ++i)
                    hashes[i] = found[i - 2 * pair];
            }
        } catch (...) {
            std::lock_guard lock(mutex);
            stopped = true;
            failure = std::current_exception();
        }
    }

    std::string finish() {
        {
            std::lock_guard lock(mutex);
            ended = true;
        }
        news.notify_all();
        work();
        if (other.joinable())
            other.join();
        if (failure)
            std::rethrow_exception(failure);
        FastSha256 whole(0);
        whole.add(bytes_of(hashes));
        return stillroom::hex(whole.take());
    }

    fs::path file;
    Descriptor descriptor;
    std::thread other;
    std::mutex mutex;  // of all below
    std::condition_variable news;
    std::uint64_t written = 0, next = 0;  // bytes; the pair that nobody has taken
    bool ended = false, stopped = false;
    std::vector<PlainSha256::Hash> hashes;
    std::exception_ptr failure;
};

TrailingDigest::TrailingDigest(fs::path file) : state_(std::make_unique<State>(std::move(file))) {}
TrailingDigest::TrailingDigest(TrailingDigest&&) noexcept = default;
TrailingDigest::~TrailingDigest() = default;

void TrailingDigest::written(std::uint64_t size) {
    state_->reach(size);
}

std::string TrailingDigest::hex() {
    return state_->finish();
}

}  // namespace stillroom
