#include "plugins/data/growing_pair.h"

#include "engine/base/chunk_hash.h"
#include "engine/base/digest.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/sha256.h"
#include "engine/plugin/stage.h"
#include "plugins/lm/data/indexed_writer.h"
#include "plugins/lm/weights/file_sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace stillroom::data {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kHash = 32;
constexpr std::size_t kMostHashing = 2;  // chunks, while the next one fills
constexpr std::size_t kMostLengths = std::size_t{1} << 18;

fs::path with(const fs::path& stem, const char* ending) {
    fs::path path = stem;
    path += ending;
    return path;
}

std::uint64_t size_at(const fs::path& path) {
    std::error_code failed;
    std::uint64_t size = fs::file_size(path, failed);
    return failed ? 0 : size;
}

template <class T>
std::string_view bytes_of_list(const std::vector<T>& list) {
    return {reinterpret_cast<const char*>(list.data()), list.size() * sizeof(T)};
}

std::uint64_t bytes_of_tokens(lm::TokenType type, std::int64_t tokens) {
    return static_cast<std::uint64_t>(tokens) * static_cast<std::uint64_t>(lm::bytes_of(type));
}

/// A file's digest is the hash of the hashes of its chunks.
std::string digest_of_hashes(const fs::path& hashes, std::string_view last_chunk) {
    std::string all = read_file(hashes, std::numeric_limits<std::size_t>::max());
    if (!last_chunk.empty())
        all += chunk_hash(last_chunk);
    return sha256_hex(all);
}

}  // namespace

void GrowingPair::Tail::open(const fs::path& at, std::uint64_t keep) {
    path = at;
    file = Descriptor(retried([&] {
        return ::open(at.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
    }));
    if (!file.is_open() || ::ftruncate(file.get(), static_cast<off_t>(keep)) != 0)
        refuse_write(at, errno);
}

void GrowingPair::Tail::append(std::string_view bytes) {
    write_all(file, bytes, path);
}

bool GrowingPair::holds(const fs::path& stem, lm::TokenType type, const Saved& saved) {
    std::uint64_t bytes = bytes_of_tokens(type, saved.tokens);
    return size_at(with(stem, ".bin")) >= bytes &&
           size_at(with(stem, ".lengths")) >=
               static_cast<std::uint64_t>(saved.documents) * sizeof(std::int32_t) &&
           size_at(with(stem, ".hashes")) >= bytes / kDigestChunk * kHash;
}

GrowingPair::GrowingPair(fs::path stem, lm::TokenType type, const Saved& saved)
    : stem_(std::move(stem)),
      type_(type),
      size_(saved),
      chunk_(std::make_shared<std::string>()) {
    tokens_.open(with(stem_, ".bin"), bytes());
    lengths_.open(with(stem_, ".lengths"),
                  static_cast<std::uint64_t>(saved.documents) * sizeof(std::int32_t));
    hashes_.open(with(stem_, ".hashes"), bytes() / kDigestChunk * kHash);
    resume();
}

GrowingPair::~GrowingPair() = default;

std::uint64_t GrowingPair::bytes() const {
    return bytes_of_tokens(type_, size_.tokens);
}

/// The begin of the last chunk is read back, to be hashed with what follows.
void GrowingPair::resume() {
    std::uint64_t end = bytes();
    std::uint64_t at = end / kDigestChunk * kDigestChunk;
    chunk_->resize(static_cast<std::size_t>(end - at));
    while (written_ < chunk_->size()) {
        ssize_t count = retried([&] {
            return ::pread(tokens_.file.get(),
                           chunk_->data() + written_,
                           chunk_->size() - written_,
                           static_cast<off_t>(at + written_));
        });
        if (count <= 0)
            throw Error({}, fmt::format("cannot read {} again", tokens_.path.string()))
                .exit_code(kExitResource);
        written_ += static_cast<std::size_t>(count);
    }
}

void GrowingPair::add(std::span<const std::uint32_t> ids, std::span<const std::int32_t> lengths) {
    std::size_t each = static_cast<std::size_t>(lm::bytes_of(type_));
    std::size_t at = 0;
    while (at < ids.size()) {
        std::size_t room = (kDigestChunk - chunk_->size()) / each;
        std::size_t count = std::min(room, ids.size() - at);
        if (each == sizeof(std::uint32_t)) {
            chunk_->append(reinterpret_cast<const char*>(ids.data() + at), count * each);
        } else {
            std::size_t begin = chunk_->size();
            chunk_->resize(begin + count * each);
            auto* out = reinterpret_cast<std::uint16_t*>(chunk_->data() + begin);
            for (std::size_t i = 0; i < count; ++i)
                out[i] = static_cast<std::uint16_t>(ids[at + i]);
        }
        at += count;
        if (chunk_->size() == kDigestChunk)
            write_chunk();
    }
    new_lengths_.insert(new_lengths_.end(), lengths.begin(), lengths.end());
    size_.documents += static_cast<std::int64_t>(lengths.size());
    size_.tokens += static_cast<std::int64_t>(ids.size());
    if (new_lengths_.size() >= kMostLengths)
        write_lengths();
}

/// Hashed beside, while it goes to the disk from here.
void GrowingPair::write_chunk() {
    if (hashing_.size() == kMostHashing)
        take_hash();
    hashing_.push_back(
        std::async(std::launch::async, [full = chunk_] { return chunk_hash(*full); }));
    tokens_.append(std::string_view(*chunk_).substr(written_));
    std::uint64_t end = bytes();
    ::sync_file_range(tokens_.file.get(),  // a wish: so that the end need not wait for all of it
                      static_cast<off_t>(end - std::min<std::uint64_t>(end, 2 * kDigestChunk)),
                      0,
                      SYNC_FILE_RANGE_WRITE);
    chunk_ = std::make_shared<std::string>();
    chunk_->reserve(kDigestChunk);
    written_ = 0;
}

void GrowingPair::take_hash() {
    hashes_.append(hashing_.front().get());
    hashing_.pop_front();
}

void GrowingPair::write_lengths() {
    lengths_.append(bytes_of_list(new_lengths_));
    new_lengths_.clear();
}

void GrowingPair::save() {
    while (!hashing_.empty())
        take_hash();
    write_lengths();
    tokens_.append(std::string_view(*chunk_).substr(written_));
    written_ = chunk_->size();
    for (Tail* tail : {&tokens_, &lengths_, &hashes_})
        sync(tail->file, tail->path);
}

void GrowingPair::finish(RunContext& context, const fs::path& prefix) {
    save();
    for (Tail* tail : {&tokens_, &lengths_, &hashes_})
        close_written(tail->file, tail->path);
    fs::path bin = with(prefix, ".bin");
    std::string digest = digest_of_hashes(hashes_.path, *chunk_);
    rename_path(tokens_.path, bin);
    context.hashed(bin, bytes(), digest);

    std::string text = read_file(lengths_.path, std::numeric_limits<std::size_t>::max());
    std::span<std::int32_t> lengths(reinterpret_cast<std::int32_t*>(text.data()),
                                    text.size() / sizeof(std::int32_t));
    std::vector<std::int64_t> bounds;
    if (std::find(lengths.begin(), lengths.end(), 0) != lengths.end()) {
        std::size_t kept = 0;
        bounds.push_back(0);
        for (std::int32_t length : lengths) {
            if (length > 0)
                lengths[kept++] = length;
            bounds.push_back(static_cast<std::int64_t>(kept));
        }
        lengths = lengths.first(kept);
    }
    auto index = lm::stage_sink(context, with(prefix, ".idx"));
    lm::write_index(*index, type_, lengths, bounds);
    index->close();
}

}  // namespace stillroom::data
