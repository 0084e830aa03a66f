#include "engine/base/digest.h"

#include "engine/base/chunk_hash.h"
#include "engine/base/chunk_hasher.h"
#include "engine/base/descriptor.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr int kDeepest = 512;

using Hash = PlainSha256::Hash;

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
        refuse_to_hash(file, "it is a folder");
    if (!S_ISREG(status.st_mode))
        refuse_to_hash(file, "it is no regular file");
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
        refuse_to_hash(path, errno == ENOENT ? "no such file" : std::strerror(errno));
    struct stat status {};
    if (::fstat(opened.file.get(), &status) != 0)
        refuse_to_hash(path, std::strerror(errno));
    opened.stamp = regular_stamp(path, status);
    return opened;
}

void check_unchanged(const OpenFile& opened, const fs::path& path) {
    struct stat status {};
    if (::fstat(opened.file.get(), &status) != 0)
        refuse_to_hash(path, std::strerror(errno));
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
                refuse_to_hash(file, errno == ENOENT ? "no such file" : std::strerror(errno));
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
        if (bytes_ < kMuchToHash)
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
                std::uint64_t chunk = 2 * (task - *found);
                if (chunk < hashes_[file].size())
                    hasher.pair({opened->file.get(), opened->stamp.size, files_[file]},
                                chunk,
                                &hashes_[file][chunk]);
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
        FastSha256 hasher(0);
        for (std::size_t i = 0; i < files_.size(); ++i) {
            hasher.add(bytes_of(hashes_[i]));
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
        refuse_to_hash(folder, fmt::format("it lies more than {} folders deep", kDeepest));
    std::error_code error;
    fs::directory_iterator it(folder, error);
    if (error)
        refuse_to_hash(folder, error.message());
    for (const fs::directory_entry& entry : it) {
        std::string name = prefix + entry.path().filename().string();
        fs::file_status status = entry.symlink_status(error);
        if (status.type() == fs::file_type::symlink && links == Links::follow_to_files) {
            status = entry.status(error);
            if (status.type() == fs::file_type::directory)
                refuse_to_hash(entry.path(), "it is a link to a folder");
            if (status.type() == fs::file_type::not_found)
                refuse_to_hash(entry.path(),
                               fmt::format("it leads nowhere, being a link to {}",
                                           fs::read_symlink(entry.path(), error).string()));
        }
        if (error)
            refuse_to_hash(entry.path(), error.message());
        if (status.type() == fs::file_type::symlink)
            refuse_to_hash(entry.path(), "it is a link");
        if (status.type() == fs::file_type::directory)
            list_below(entry.path(), name + "/", links, depth + 1, found);
        else if (status.type() == fs::file_type::regular)
            found.push_back(std::move(name));
        else
            refuse_to_hash(entry.path(), "it is no file and no folder");
    }
}

}  // namespace

FileStamp stamp_of(const fs::path& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0)
        refuse_to_hash(file, errno == ENOENT ? "no such file" : std::strerror(errno));
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
    FastSha256 hasher(0);
    for (const FileRecord* file : sorted) {
        hasher.add(file->path);
        hasher.add(
            std::string_view("\0", 1));  // no path holds one, so that no two lists read the same
        hasher.add(file->digest);
    }
    return hex(hasher.take());
}

struct RunningDigest::State {
    std::string head;                   // until there is enough of it to say that it is much
    std::unique_ptr<FastSha256> chunk;  // null until then
    std::size_t in_chunk = 0;
    std::vector<Hash> done;

    void end_chunk() {
        if (!chunk)
            chunk = std::make_unique<FastSha256>(0);
        chunk->add(head);
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
        if (!state_->chunk && state_->head.size() + count < kMuchToHash) {
            state_->head.append(bytes.substr(0, count));
        } else {
            if (!state_->chunk)
                state_->chunk = std::make_unique<FastSha256>(kMuchToHash);
            state_->chunk->add(state_->head);
            state_->head = {};
            state_->chunk->add(bytes.substr(0, count));
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
    FastSha256 whole(0);
    whole.add(bytes_of(state_->done));
    return stillroom::hex(whole.take());
}

std::string chunk_hash(std::string_view chunk) {
    FastSha256 hasher(chunk.size());
    hasher.add(chunk);
    Hash hash = hasher.take();
    return std::string(reinterpret_cast<const char*>(hash.data()), hash.size());
}

std::string digest_of(std::string_view bytes) {
    RunningDigest digest;
    digest.add(bytes);
    return digest.hex();
}

}  // namespace stillroom
