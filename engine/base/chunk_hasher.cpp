#include "engine/base/chunk_hasher.h"

#include "engine/base/digest.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10;  // stays in a core's cache

}  // namespace

void refuse_to_hash(const fs::path& file, std::string_view why) {
    throw Error({}, fmt::format("cannot read {}: {}", file.string(), why)).exit_code(kExitBadInput);
}

void refuse_change(const fs::path& file) {
    throw Error({}, fmt::format("{} changed while it was read", file.string()))
        .exit_code(kExitIntegrity);
}

void ChunkReader::start(const HashedFile& file, std::uint64_t chunk) {
    file_ = &file;
    at_ = chunk * kDigestChunk;
    end_ = std::min<std::uint64_t>(at_ + kDigestChunk, file.size);
}

std::string_view ChunkReader::next() {
    std::size_t count = std::min<std::uint64_t>(kPiece, end_ - at_), filled = 0;
    buffer_.resize(std::max(buffer_.size(), count));
    while (filled < count) {
        ssize_t got = retried([&] {
            return ::pread(file_->descriptor,
                           buffer_.data() + filled,
                           count - filled,
                           static_cast<off_t>(at_));
        });
        if (got < 0)
            refuse_to_hash(file_->path, std::strerror(errno));
        if (got == 0)
            refuse_change(file_->path);
        filled += static_cast<std::size_t>(got);
        at_ += static_cast<std::uint64_t>(got);
    }
    return std::string_view(buffer_).substr(0, count);
}

void ChunkHasher::pair(const HashedFile& file, std::uint64_t chunk, Hash* hashes) {
    reader_.start(file, chunk);
    if ((chunk + 1) * kDigestChunk >= file.size) {
        for (std::string_view piece = reader_.next(); !piece.empty(); piece = reader_.next())
            one_.add(piece);
        hashes[0] = one_.take();
        return;
    }
    second_.start(file, chunk + 1);
    for (std::string_view piece = reader_.next(); !piece.empty(); piece = reader_.next())
        FastSha256::add_both(one_, piece, two_, second_.next());
    hashes[0] = one_.take();  // in this order: the first chunk is never the shorter one
    hashes[1] = two_.take();
}

}  // namespace stillroom
