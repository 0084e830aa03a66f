#include "engine/plugin/output_file.h"

#include "engine/base/chunk_hash.h"
#include "engine/base/digest.h"
#include "engine/base/durable.h"
#include "engine/base/sha256.h"
#include "engine/plugin/stage.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <future>
#include <vector>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMost = 4;  // chunks that are hashed while the next one is filled

}  // namespace

struct OutputFile::State {
    State(RunContext& listener, fs::path path)
        : context(listener),
          file(std::move(path)),
          at_once(std::clamp<std::size_t>(
              static_cast<std::size_t>(std::max(listener.threads(), 1)), 1, kMost)) {}

    /// On its way to the disk and to its digest, each by a thread of its own.
    struct Leaving {
        std::unique_ptr<std::string> chunk;
        std::future<std::string> hash;
        std::future<void> written;
    };

    RunContext& context;
    fs::path file;
    std::size_t at_once;
    int descriptor = -1;
    std::uint64_t size = 0;
    std::uint64_t written = 0;  // of it, to the file
    std::unique_ptr<std::string> chunk = std::make_unique<std::string>();
    std::deque<Leaving> leaving;
    std::vector<std::unique_ptr<std::string>> spare;  // whose memory is here already
    std::string hashes;                               // of whole chunks, in order

    [[noreturn]] void fail(int code) const { refuse_write(file, code); }

    /// The chunk is full, or the last one.
    void flush() {
        if (chunk->empty())
            return;
        while (leaving.size() >= at_once)
            finish_first();
        if (!leaving.empty() && leaving.back().written.valid())
            leaving.back().written.get();  // one after the other
        const std::string& full = *chunk;
        leaving.push_back(
            {.chunk = std::move(chunk),
             .hash = std::async(std::launch::async, [&full] { return chunk_hash(full); }),
             .written =
                 std::async(std::launch::async, [this, &full, at = written] { write(full, at); })});
        written += full.size();
        if (spare.empty()) {
            chunk = std::make_unique<std::string>();
        } else {
            chunk = std::move(spare.back());
            spare.pop_back();
            chunk->clear();
        }
    }

    void write(std::string_view rest, std::uint64_t at) const {
        const std::size_t all = rest.size();
        while (!rest.empty()) {
            ssize_t count = retried([&] { return ::write(descriptor, rest.data(), rest.size()); });
            if (count < 0)
                fail(errno);
            rest.remove_prefix(static_cast<std::size_t>(count));
        }
        ::sync_file_range(descriptor,
                          static_cast<off64_t>(at),
                          static_cast<off64_t>(all),
                          SYNC_FILE_RANGE_WRITE);  // a wish, no more
    }

    void finish_first() {
        Leaving& first = leaving.front();
        if (first.written.valid())
            first.written.get();
        hashes += first.hash.get();
        spare.push_back(std::move(first.chunk));
        leaving.pop_front();
    }
};

OutputFile::OutputFile(RunContext& context, fs::path file)
    : state_(std::make_unique<State>(context, std::move(file))) {
    state_->descriptor = retried([&] {
        return ::open(
            state_->file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    });
    if (state_->descriptor < 0)
        state_->fail(errno);
}

OutputFile::~OutputFile() {
    if (state_->descriptor < 0)
        return;
    state_->leaving.clear();  // which waits for its threads
    ::close(state_->descriptor);
    ::unlink(state_->file.c_str());
}

std::uint64_t OutputFile::size() const {
    return state_->size;
}

void OutputFile::write(std::string_view bytes) {
    State& at = *state_;
    if (at.descriptor < 0)
        at.fail(EBADF);
    at.size += bytes.size();
    while (!bytes.empty()) {
        std::size_t count = std::min(bytes.size(), kDigestChunk - at.chunk->size());
        if (at.chunk->capacity() < kDigestChunk && at.chunk->size() + count > (1 << 20))
            at.chunk->reserve(kDigestChunk);
        at.chunk->append(bytes.substr(0, count));
        bytes.remove_prefix(count);
        if (at.chunk->size() == kDigestChunk)
            at.flush();
    }
}

void OutputFile::close() {
    State& at = *state_;
    at.flush();
    while (!at.leaving.empty())
        at.finish_first();
    int descriptor = at.descriptor;
    at.descriptor = -1;
    if (::close(descriptor) != 0 && errno != EINTR)  // then it has closed
        at.fail(errno);
    at.context.hashed(at.file, at.size, sha256_hex(at.hashes));
}

}  // namespace stillroom
