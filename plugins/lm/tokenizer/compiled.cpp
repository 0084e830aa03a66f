#include "plugins/lm/tokenizer/compiled.h"

#include "engine/base/build_id.h"
#include "engine/base/descriptor.h"
#include "plugins/lm/tokenizer/beside.h"
#include "plugins/lm/tokenizer/text_hash.h"
#include "plugins/lm/tokenizer/zeroed_memory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace stillroom::lm {
namespace {

constexpr std::uint64_t kFormat = 2;
constexpr std::size_t kMostBytes = std::size_t{1} << 30;
constexpr std::size_t kMostArrays = 32;
constexpr std::size_t kAlign = 64;
constexpr std::size_t kWorthThread = std::size_t{1} << 20;  // bytes

/// The begin of a file. What follows: sizes of the arrays, then each at a multiple of kAlign.
struct Header {
    char magic[16] = {};
    std::uint64_t format = 0;
    std::uint64_t checksum = 0;  ///< of the whole file, this number being 0
    std::uint64_t size = 0;      ///< of the file
    std::uint64_t arrays = 0;
    char build[64] = {};
    char digest[64] = {};  ///< of what it was made of
};
static_assert(sizeof(Header) % 8 == 0);

constexpr char kMagic[16] = "stillroom words";

std::size_t aligned(std::size_t size) {
    return (size + kAlign - 1) / kAlign * kAlign;
}

/// Finds what a crash or a bad disk did to a file, not what somebody wanted. Takes aligned() bytes.
class Checksum {
public:
    void add(std::string_view bytes) {
        for (std::size_t at = 0; bytes.size() - at >= 32; at += 32) {
            std::uint64_t words[4];
            std::memcpy(words, bytes.data() + at, sizeof words);
            for (int i = 0; i < 4; ++i)
                lanes_[i] = mix_hash(lanes_[i] ^ words[i], kOdd);
        }
    }
    std::uint64_t sum() const {
        return mix_hash(lanes_[0] ^ mix_hash(lanes_[1], kOdd),
                        lanes_[2] ^ mix_hash(lanes_[3], kOdd));
    }

private:
    static constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;
    std::uint64_t lanes_[4] = {1, 2, 3, 4};
};

/// A file is summed in two halves, which two threads read.
std::size_t middle_of(std::size_t size) {
    return size / 2 / kAlign * kAlign;
}

std::uint64_t sum_of(std::uint64_t first, std::uint64_t second) {
    return mix_hash(first, second | 1);
}

/// Half of a file, summed while it is near. The file's own sum is not part of it.
struct Half {
    std::size_t begin, end;
    std::uint64_t told = 0;  ///< the sum that the file says it has
    std::uint64_t sum = 0;
    bool is_read = false;

    void read(int file, char* bytes) {
        constexpr std::size_t kPart = 128 << 10;
        Checksum checksum;
        for (std::size_t at = begin; at < end; at += kPart) {
            std::size_t until = std::min(at + kPart, end);
            if (!read_between(file, bytes, at, until))
                return;
            if (at == 0) {
                char* place = bytes + offsetof(Header, checksum);
                std::memcpy(&told, place, sizeof told);
                std::memset(place, 0, sizeof told);
            }
            checksum.add({bytes + at, until - at});
        }
        sum = checksum.sum();
        is_read = true;
    }
};

Header header_for(std::string_view digest) {
    Header out;
    std::memcpy(out.magic, kMagic, sizeof kMagic);
    out.format = kFormat;
    // Of another build another hash, or another order, may be.
    std::string build = build_id();
    std::copy_n(build.begin(), std::min(build.size(), sizeof out.build), out.build);
    std::copy_n(digest.begin(), std::min(digest.size(), sizeof out.digest), out.digest);
    return out;
}

/// Ours alone to write: nobody else has put words into it.
bool is_ours(const struct stat& status) {
    return S_ISREG(status.st_mode) && status.st_uid == ::geteuid() &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

}  // namespace

LargeText CompiledWriter::finish(std::string_view digest) const {
    Header header = header_for(digest);
    header.arrays = arrays_.size();
    std::size_t front = aligned(sizeof header + arrays_.size() * 8), size = front;
    for (std::string_view array : arrays_)
        size += aligned(array.size());
    header.size = size;
    LargeText out(size);
    std::memcpy(out.data(), &header, sizeof header);
    char* into = out.data() + sizeof header;
    for (std::string_view array : arrays_) {
        std::uint64_t bytes = array.size();
        std::memcpy(into, &bytes, 8);
        into += 8;
    }
    into = out.data() + front;
    for (std::string_view array : arrays_) {
        if (!array.empty())
            std::memcpy(into, array.data(), array.size());
        into += aligned(array.size());
    }
    Checksum halves[2];
    halves[0].add(out.view().substr(0, middle_of(size)));
    halves[1].add(out.view().substr(middle_of(size)));
    header.checksum = sum_of(halves[0].sum(), halves[1].sum());
    std::memcpy(out.data(), &header, sizeof header);
    return out;
}

std::optional<CompiledReader> CompiledReader::open(const std::filesystem::path& path,
                                                   std::string_view digest) {
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    struct stat status {};
    if (!file.is_open() || ::fstat(file.get(), &status) != 0 || !is_ours(status))
        return std::nullopt;
    auto size = static_cast<std::size_t>(status.st_size);
    if (size < aligned(sizeof(Header)) || size > kMostBytes || size % kAlign != 0)
        return std::nullopt;
    // Read, not mapped: what others do to the file later cannot reach us, and words are looked up
    // faster in large pages.
    auto memory = std::make_shared<ZeroedMemory>(size);
    auto* bytes = static_cast<char*>(memory->data());
    Half first{0, middle_of(size)}, second{middle_of(size), size};
    Beside<void> other = beside([&] { second.read(file.get(), bytes); }, size >= kWorthThread);
    first.read(file.get(), bytes);
    other.get();
    if (!first.is_read || !second.is_read)
        return std::nullopt;
    Header header, expected = header_for(digest);
    std::memcpy(&header, bytes, sizeof header);
    expected.size = size;
    expected.arrays = header.arrays;
    bool known = std::memcmp(&header, &expected, sizeof header) == 0 &&
                 header.arrays <= kMostArrays && sum_of(first.sum, second.sum) == first.told;
    std::size_t front = aligned(sizeof header + header.arrays * 8);
    if (!known || front > size)
        return std::nullopt;
    CompiledReader out;
    out.memory_ = memory;
    out.left_ = {bytes + front, size - front};
    out.sizes_.resize(header.arrays);
    std::memcpy(out.sizes_.data(), bytes + sizeof header, header.arrays * 8);
    std::reverse(out.sizes_.begin(), out.sizes_.end());
    return out;
}

std::string_view CompiledReader::take_bytes() {
    if (sizes_.empty() || sizes_.back() > left_.size()) {
        fail();
        return {};
    }
    std::string_view out = left_.substr(0, sizes_.back());
    left_.remove_prefix(std::min(aligned(out.size()), left_.size()));
    sizes_.pop_back();
    return out;
}

}  // namespace stillroom::lm
