#include "engine/base/digest.h"

#include "engine/base/chunk_hash.h"
#include "engine/base/descriptor.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/sha256.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10;  // stays in a core's cache
constexpr int kDeepest = 512;

using Hash = PlainSha256::Hash;

[[noreturn]] void refuse(const fs::path& file, std::string_view why) {
    throw Error({}, fmt::format("cannot read {}: {}", file.string(), why)).exit_code(kExitBadInput);
}

[[noreturn]] void refuse_change(const fs::path& file) {
    throw Error({}, fmt::format("{} changed while it was read", file.string()))
        .exit_code(kExitIntegrity);
}

/// What we use of libcrypto, which has code for every processor. Linked, it would cost every
/// process three milliseconds at its start, so it is opened by the first one that has much to hash
/// on a processor whose own instructions sha256.h does not know; where it is not installed our own
/// code does the work, five times slower.
struct Crypto {
    decltype(&EVP_MD_CTX_new) make = nullptr;
    decltype(&EVP_MD_CTX_free) free = nullptr;
    decltype(&EVP_MD_fetch) fetch = nullptr;
    decltype(&EVP_DigestInit_ex2) init = nullptr;
    decltype(&EVP_DigestUpdate) update = nullptr;
    decltype(&EVP_DigestFinal_ex) end = nullptr;
    EVP_MD* sha256 = nullptr;  // looked up once: each look-up takes locks
};

const Crypto& crypto() {
    static const Crypto functions = [] {
        void* library = ::dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
        Crypto found;
        bool complete = library != nullptr;
        auto take = [&](auto& function, const char* name) {
            if (library)
                function =
                    reinterpret_cast<std::decay_t<decltype(function)>>(::dlsym(library, name));
            complete = complete && function;
        };
        take(found.make, "EVP_MD_CTX_new");
        take(found.free, "EVP_MD_CTX_free");
        take(found.fetch, "EVP_MD_fetch");
        take(found.init, "EVP_DigestInit_ex2");
        take(found.update, "EVP_DigestUpdate");
        take(found.end, "EVP_DigestFinal_ex");
        if (complete)
            found.sha256 = found.fetch(nullptr, "SHA256", nullptr);
        return found;
    }();
    return functions;
}

/// As many bytes as our own code hashes while libcrypto is being opened.
constexpr std::size_t kMuch = std::size_t{1} << 20;

class Sha256 {
public:
    /// `bytes` are to be expected in all; the code is chosen by that.
    explicit Sha256(std::uint64_t bytes) {
        if (bytes < kMuch || plain_.is_fast() || !crypto().sha256)
            return;
        state_ = crypto().make();
        reset();
    }
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;
    ~Sha256() {
        if (state_)
            crypto().free(state_);
    }

    void add(const void* bytes, std::size_t count) {
        if (state_)
            check(crypto().update(state_, bytes, count));
        else
            plain_.add({static_cast<const char*>(bytes), count});
    }
    static void add_both(Sha256& one,
                         std::string_view bytes,
                         Sha256& other,
                         std::string_view more) {
        if (!one.state_ && !other.state_)
            return PlainSha256::add_both(one.plain_, bytes, other.plain_, more);
        one.add(bytes.data(), bytes.size());
        other.add(more.data(), more.size());
    }
    Hash take() {
        if (!state_)
            return plain_.take();
        Hash hash{};
        check(crypto().end(state_, hash.data(), nullptr));
        reset();
        return hash;
    }

private:
    void reset() { check(crypto().init(state_, crypto().sha256, nullptr)); }
    static void check(int done) {
        if (done != 1)
            throw Error({}, "libcrypto cannot work out a SHA-256").exit_code(kExitResource);
    }

    EVP_MD_CTX* state_ = nullptr;
    PlainSha256 plain_;
};

std::string hex(const Hash& hash) {
    std::string text;
    for (unsigned char byte : hash)
        fmt::format_to(std::back_inserter(text), "{:02x}", byte);
    return text;
}

FileStamp stamp_from(const struct stat& status) {
    auto nanoseconds = [](const timespec& time) {
        return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    };
    return {status.st_dev,
            status.st_ino,
            static_cast<std::uint64_t>(status.st_size),
            nanoseconds(status.st_mtim),
            nanoseconds(status.st_ctim)};
}

FileStamp regular_stamp(const fs::path& file, const struct stat& status) {
    if (S_ISDIR(status.st_mode))
        refuse(file, "it is a folder");
    if (!S_ISREG(status.st_mode))
        refuse(file, "it is no regular file");
    return stamp_from(status);
}

struct OpenFile {
    Descriptor file;
    FileStamp stamp;
};

OpenFile open_regular(const fs::path& path) {
    // O_NONBLOCK: opening a pipe that nobody writes must not hang.
    OpenFile opened{Descriptor(retried(
                        [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); })),
                    {}};
    if (!opened.file.is_open())
        refuse(path, errno == ENOENT ? "no such file" : std::strerror(errno));
    struct stat status {};
    if (::fstat(opened.file.get(), &status) != 0)
        refuse(path, std::strerror(errno));
    opened.stamp = regular_stamp(path, status);
    return opened;
}

/// The bytes of a chunk, piece by piece.
class ChunkReader {
public:
    void start(const OpenFile& opened, const fs::path& path, std::uint64_t chunk) {
        opened_ = &opened;
        path_ = &path;
        at_ = chunk * kDigestChunk;
        end_ = std::min<std::uint64_t>(at_ + kDigestChunk, opened.stamp.size);
    }

    /// Nothing once all were read. What was given before is gone.
    std::string_view next() {
        std::size_t count = std::min<std::uint64_t>(kPiece, end_ - at_), filled = 0;
        buffer_.resize(std::max(buffer_.size(), count));
        while (filled < count) {
            ssize_t got = retried([&] {
                return ::pread(opened_->file.get(),
                               buffer_.data() + filled,
                               count - filled,
                               static_cast<off_t>(at_));
            });
            if (got < 0)
                refuse(*path_, std::strerror(errno));
            if (got == 0)
                refuse_change(*path_);
            filled += static_cast<std::size_t>(got);
            at_ += static_cast<std::uint64_t>(got);
        }
        return std::string_view(buffer_).substr(0, count);
    }

private:
    const OpenFile* opened_ = nullptr;
    const fs::path* path_ = nullptr;
    std::uint64_t at_ = 0, end_ = 0;
    std::string buffer_;
};

/// What a thread hashes chunks with: one, or two side by side.
class ChunkHasher {
public:
    explicit ChunkHasher(std::uint64_t bytes) : one_(bytes), two_(bytes) {}

    Hash one(const OpenFile& opened, const fs::path& path, std::uint64_t chunk) {
        reader_.start(opened, path, chunk);
        for (std::string_view piece = reader_.next(); !piece.empty(); piece = reader_.next())
            one_.add(piece.data(), piece.size());
        return one_.take();
    }

    /// A chunk and the next.
    std::array<Hash, 2> two(const OpenFile& opened, const fs::path& path, std::uint64_t chunk) {
        reader_.start(opened, path, chunk);
        second_.start(opened, path, chunk + 1);
        for (std::string_view piece = reader_.next(); !piece.empty(); piece = reader_.next())
            Sha256::add_both(one_, piece, two_, second_.next());
        Hash first = one_.take();  // in this order: the first chunk is never the shorter one
        return {first, two_.take()};
    }

private:
    Sha256 one_, two_;
    ChunkReader reader_, second_;
};

void check_unchanged(const OpenFile& opened, const fs::path& path) {
    struct stat status {};
    if (::fstat(opened.file.get(), &status) != 0)
        refuse(path, std::strerror(errno));
    if (stamp_from(status) != opened.stamp)
        refuse_change(path);
}

/// Files on their way through the chunks of all of them, two of which any thread may take next.
class DigestJob {
public:
    explicit DigestJob(const std::vector<fs::path>& files) : files_(files) {
        for (const fs::path& file : files) {
            struct stat status {};
            if (::stat(file.c_str(), &status) != 0)
                refuse(file, errno == ENOENT ? "no such file" : std::strerror(errno));
            FileStamp stamp = regular_stamp(file, status);
            stamps_.push_back(stamp);
            std::uint64_t chunks = (stamp.size + kDigestChunk - 1) / kDigestChunk;
            first_.push_back(total_);
            total_ += std::max<std::uint64_t>((chunks + 1) / 2, 1);  // an empty file is opened too
            bytes_ += stamp.size;
            hashes_.emplace_back(chunks);
        }
    }

    std::vector<FileRecord> run(unsigned threads) {
        std::vector<std::thread> others;
        std::uint64_t most = std::min<std::uint64_t>(std::max(threads, 1U), total_);
        if (bytes_ < kMuch)
            most = 1;  // done before another thread has begun
        for (std::uint64_t i = 1; i < most; ++i)
            others.emplace_back([this] { work(); });
        work();
        for (std::thread& other : others)
            other.join();
        if (failure_)
            std::rethrow_exception(failure_);
        return records();
    }

private:
    void work() {
        try {
            ChunkHasher hasher(bytes_);
            std::size_t file = 0;
            std::optional<OpenFile> opened;
            for (std::uint64_t task = next_++; task < total_ && !stop_; task = next_++) {
                auto found = std::upper_bound(first_.begin(), first_.end(), task) - 1;
                auto wanted = static_cast<std::size_t>(found - first_.begin());
                if (!opened || wanted != file) {
                    if (opened)
                        check_unchanged(*opened, files_[file]);
                    opened = open_regular(files_[wanted]);
                    file = wanted;
                    if (opened->stamp != stamps_[file])
                        refuse_change(files_[file]);
                }
                std::vector<Hash>& hashes = hashes_[file];
                std::uint64_t chunk = 2 * (task - *found);
                if (chunk + 1 < hashes.size()) {
                    std::array<Hash, 2> both = hasher.two(*opened, files_[file], chunk);
                    std::copy(both.begin(),
                              both.end(),
                              hashes.begin() + static_cast<std::ptrdiff_t>(chunk));
                } else if (chunk < hashes.size()) {
                    hashes[chunk] = hasher.one(*opened, files_[file], chunk);
                }
            }
            if (opened)
                check_unchanged(*opened, files_[file]);
        } catch (...) {
            std::lock_guard lock(mutex_);
            stop_ = true;
            if (!failure_)
                failure_ = std::current_exception();
        }
    }

    std::vector<FileRecord> records() const {
        std::vector<FileRecord> records;
        Sha256 hasher(0);
        for (std::size_t i = 0; i < files_.size(); ++i) {
            hasher.add(hashes_[i].data(), hashes_[i].size() * sizeof(Hash));
            records.push_back(
                {files_[i].string(), stamps_[i].size, hex(hasher.take()), stamps_[i]});
        }
        return records;
    }

    const std::vector<fs::path>& files_;
    std::vector<FileStamp> stamps_;
    std::vector<std::uint64_t> first_;  // of each file: the number of its first pair
    std::vector<std::vector<Hash>> hashes_;
    std::uint64_t total_ = 0;  // pairs of chunks
    std::uint64_t bytes_ = 0;
    std::atomic<std::uint64_t> next_ = 0;
    std::atomic<bool> stop_ = false;
    std::mutex mutex_;
    std::exception_ptr failure_;
};

void list_below(const fs::path& folder,
                const std::string& prefix,
                Links links,
                int depth,
                std::vector<std::string>& found) {
    if (depth > kDeepest)
        refuse(folder, fmt::format("it lies more than {} folders deep", kDeepest));
    std::error_code error;
    fs::directory_iterator it(folder, error);
    if (error)
        refuse(folder, error.message());
    for (const fs::directory_entry& entry : it) {
        std::string name = prefix + entry.path().filename().string();
        fs::file_status status = entry.symlink_status(error);
        if (status.type() == fs::file_type::symlink && links == Links::follow_to_files) {
            status = entry.status(error);
            if (status.type() == fs::file_type::directory)
                refuse(entry.path(), "it is a link to a folder");
            if (status.type() == fs::file_type::not_found)
                refuse(entry.path(),
                       fmt::format("it leads nowhere, being a link to {}",
                                   fs::read_symlink(entry.path(), error).string()));
        }
        if (error)
            refuse(entry.path(), error.message());
        if (status.type() == fs::file_type::symlink)
            refuse(entry.path(), "it is a link");
        if (status.type() == fs::file_type::directory)
            list_below(entry.path(), name + "/", links, depth + 1, found);
        else if (status.type() == fs::file_type::regular)
            found.push_back(std::move(name));
        else
            refuse(entry.path(), "it is no file and no folder");
    }
}

}  // namespace

FileStamp stamp_of(const fs::path& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0)
        refuse(file, errno == ENOENT ? "no such file" : std::strerror(errno));
    return regular_stamp(file, status);
}

std::vector<FileRecord> digest_files(const std::vector<fs::path>& files, unsigned threads) {
    return DigestJob(files).run(threads);
}

FileRecord digest_file(const fs::path& file, unsigned threads) {
    return digest_files({file}, threads).front();
}

std::vector<std::string> files_below(const fs::path& folder, Links links) {
    std::vector<std::string> found;
    list_below(folder, "", links, 0, found);
    std::sort(found.begin(), found.end());
    return found;
}

std::vector<FileRecord> digest_folder(const fs::path& folder, unsigned threads) {
    std::vector<std::string> names = files_below(folder, Links::follow_to_files);
    std::vector<fs::path> files;
    for (const std::string& name : names)
        files.push_back(folder / name);
    std::vector<FileRecord> records = digest_files(files, threads);
    for (std::size_t i = 0; i < names.size(); ++i)
        records[i].path = names[i];
    return records;
}

std::string content_digest(const std::vector<FileRecord>& files) {
    std::vector<const FileRecord*> sorted;
    for (const FileRecord& file : files)
        sorted.push_back(&file);
    std::sort(sorted.begin(), sorted.end(), [](const FileRecord* a, const FileRecord* b) {
        return a->path < b->path;
    });
    Sha256 hasher(0);
    for (const FileRecord* file : sorted) {
        hasher.add(file->path.data(), file->path.size());
        hasher.add("\0", 1);  // no path holds one, so that no two lists read the same
        hasher.add(file->digest.data(), file->digest.size());
    }
    return hex(hasher.take());
}

struct RunningDigest::State {
    std::string head;               // until there is enough of it to say that it is much
    std::unique_ptr<Sha256> chunk;  // null until then
    std::size_t in_chunk = 0;
    std::vector<Hash> done;

    void end_chunk() {
        if (!chunk)
            chunk = std::make_unique<Sha256>(0);
        chunk->add(head.data(), head.size());
        head.clear();
        done.push_back(chunk->take());
        in_chunk = 0;
    }
};

RunningDigest::RunningDigest() : state_(std::make_unique<State>()) {}
RunningDigest::RunningDigest(RunningDigest&&) noexcept = default;
RunningDigest& RunningDigest::operator=(RunningDigest&&) noexcept = default;
RunningDigest::~RunningDigest() = default;

void RunningDigest::add(std::string_view bytes) {
    while (!bytes.empty()) {
        std::size_t count = std::min(bytes.size(), kDigestChunk - state_->in_chunk);
        if (!state_->chunk && state_->head.size() + count < kMuch) {
            state_->head.append(bytes.substr(0, count));
        } else {
            if (!state_->chunk)
                state_->chunk = std::make_unique<Sha256>(kMuch);
            state_->chunk->add(state_->head.data(), state_->head.size());
            state_->head = {};
            state_->chunk->add(bytes.data(), count);
        }
        state_->in_chunk += count;
        bytes.remove_prefix(count);
        if (state_->in_chunk == kDigestChunk)
            state_->end_chunk();
    }
}

std::string RunningDigest::hex() {
    if (state_->in_chunk > 0)
        state_->end_chunk();
    Sha256 whole(0);
    whole.add(state_->done.data(), state_->done.size() * sizeof(Hash));
    return stillroom::hex(whole.take());
}

std::string chunk_hash(std::string_view chunk) {
    Sha256 hasher(chunk.size());
    hasher.add(chunk.data(), chunk.size());
    Hash hash = hasher.take();
    return std::string(reinterpret_cast<const char*>(hash.data()), hash.size());
}

std::string digest_of(std::string_view bytes) {
    RunningDigest digest;
    digest.add(bytes);
    return digest.hex();
}

}  // namespace stillroom
