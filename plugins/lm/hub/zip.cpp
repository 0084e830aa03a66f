// An archive is believed in nothing that can be checked: its directory must lie where its end says,
// a member's two headers must agree, and sizes are compared with what there is before any of it is
// read. libzip and minizip open far more than the wheels of PyPI need, and read more on the way.

#include "plugins/lm/hub/zip.h"

#include "engine/base/descriptor.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr std::uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::uint32_t kEntry = 0x02014b50, kLocal = 0x04034b50;
constexpr std::size_t kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20;
constexpr std::size_t kEntrySize = 46, kLocalSize = 30;
constexpr std::uint64_t kLongestComment = 65535;
constexpr std::uint64_t kLargestDirectory = std::uint64_t{256} << 20;
constexpr std::uint64_t kRatioFrom = std::uint64_t{1} << 20;
constexpr std::size_t kPiece = std::size_t{256} << 10;
constexpr std::uint16_t kStored = 0, kDeflated = 8, kExtra64 = 1;

/// Little-endian numbers out of bytes; past their end the archive is refused.
class Fields {
public:
    Fields(std::string_view bytes, const std::function<void(std::string)>& refuse)
        : bytes_(bytes),
          refuse_(refuse) {}

    template <class Number>
    Number number() {
        std::string_view text = take(sizeof(Number));
        Number value = 0;
        for (std::size_t i = sizeof(Number); i-- > 0;)
            value = static_cast<Number>((value << 8) | static_cast<unsigned char>(text[i]));
        return value;
    }
    std::uint16_t u16() { return number<std::uint16_t>(); }
    std::uint32_t u32() { return number<std::uint32_t>(); }
    std::uint64_t u64() { return number<std::uint64_t>(); }

    std::string_view take(std::size_t count) {
        if (count > bytes_.size())
            refuse_("a header of it is cut");
        std::string_view taken = bytes_.substr(0, count);
        bytes_.remove_prefix(count);
        return taken;
    }
    std::size_t left() const { return bytes_.size(); }

private:
    std::string_view bytes_;
    const std::function<void(std::string)>& refuse_;
};

struct Directory {
    std::uint64_t begin = 0, size = 0, entries = 0;
};

struct Member {
    std::uint16_t flags = 0, method = 0;
    std::uint32_t crc = 0, attributes = 0;
    std::uint64_t packed = 0, size = 0, header = 0;
};

class Archive {
public:
    Archive(const fs::path& path, const ZipLimits& limits)
        : path_(path),
          limits_(limits),
          refuse_([this](const std::string& why) { refuse(why); }),
          file_(retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); })) {
        struct stat status {};
        if (!file_.is_open() || ::fstat(file_.get(), &status) != 0)
            refuse(std::strerror(errno));
        if (!S_ISREG(status.st_mode))
            refuse("it is no regular file");
        size_ = static_cast<std::uint64_t>(status.st_size);
    }

    Member find(std::string_view name) {
        Directory directory = find_directory();
        std::string bytes = read(directory.begin, directory.size);
        Fields fields(bytes, refuse_);
        std::optional<Member> found;
        for (std::uint64_t i = 0; i < directory.entries; ++i) {
            std::optional<Member> member = entry(fields, name);
            if (member && found)
                refuse(fmt::format("it holds '{}' twice", escape_controls(name)));
            if (member)
                found = member;
        }
        if (fields.left() > 0)
            refuse("its directory holds more than its entries");
        if (!found)
            refuse(fmt::format("it holds no '{}'", escape_controls(name)));
        check(*found, directory);
        directory_ = directory.begin;
        return *found;
    }

    void unpack(const Member& member,
                std::string_view name,
                const std::function<void(std::string_view)>& take) {
        std::uint64_t begin = data_of(member, name);
        std::uint64_t left = member.packed, unpacked = 0;
        uLong crc = ::crc32(0, nullptr, 0);
        auto pass_on = [&](std::string_view bytes) {
            if (bytes.size() > member.size - unpacked)
                refuse(fmt::format("more than the {} bytes announced are in it", member.size));
            crc = ::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
            unpacked += bytes.size();
            take(bytes);
        };
        Inflater inflater(*this, member.method == kDeflated);
        while (left > 0) {
            std::string piece = read(begin, std::min<std::uint64_t>(left, kPiece));
            begin += piece.size();
            left -= piece.size();
            inflater.add(piece, pass_on);
        }
        if (!inflater.ended() || unpacked != member.size)
            refuse(fmt::format("{} bytes are in it, not {}", unpacked, member.size));
        if (crc != member.crc)
            refuse(fmt::format("its CRC-32 is {:08x}, not {:08x}", crc, member.crc));
    }

private:
    /// What one member's bytes become on their way out.
    class Inflater {
    public:
        Inflater(const Archive& archive, bool deflated) : archive_(archive), deflated_(deflated) {
            if (deflated_ && ::inflateInit2(&stream_, -MAX_WBITS) != Z_OK)
                throw std::bad_alloc();
        }
        Inflater(const Inflater&) = delete;
        Inflater& operator=(const Inflater&) = delete;
        ~Inflater() {
            if (deflated_)
                ::inflateEnd(&stream_);
        }

        void add(std::string_view bytes, const std::function<void(std::string_view)>& pass_on) {
            if (!deflated_)
                return pass_on(bytes);
            if (ended_)
                archive_.refuse("its packed bytes go on after their end");
            stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
            stream_.avail_in = static_cast<uInt>(bytes.size());
            do {
                stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
                stream_.avail_out = static_cast<uInt>(buffer_.size());
                int code = ::inflate(&stream_, Z_NO_FLUSH);
                if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
                    archive_.refuse("its packed bytes are no deflate stream");
                pass_on({buffer_.data(), buffer_.size() - stream_.avail_out});
                ended_ = code == Z_STREAM_END;
                if (ended_ && stream_.avail_in > 0)
                    archive_.refuse("its packed bytes go on after their end");
            } while (!ended_ && (stream_.avail_in > 0 || stream_.avail_out == 0));
        }
        bool ended() const { return !deflated_ || ended_; }

    private:
        const Archive& archive_;
        bool deflated_;
        bool ended_ = false;
        z_stream stream_{};
        std::string buffer_ = std::string(kPiece, '\0');
    };

    [[noreturn]] void refuse(const std::string& why) const {
        throw Error({}, fmt::format("cannot unpack {}: {}", path_.string(), why))
            .exit_code(kExitBadInput);
    }

    std::string read(std::uint64_t begin, std::uint64_t count) const {
        if (begin > size_ || count > size_ - begin)
            refuse("a part of it lies beyond its end");
        std::string bytes(count, '\0');
        for (std::size_t filled = 0; filled < count;) {
            ssize_t got = retried([&] {
                return ::pread(file_.get(),
                               bytes.data() + filled,
                               count - filled,
                               static_cast<off_t>(begin + filled));
            });
            if (got < 0)
                refuse(std::strerror(errno));
            if (got == 0)
                refuse("it became shorter while it was read");
            filled += static_cast<std::size_t>(got);
        }
        return bytes;
    }

    /// From the end record, whose comment must reach the end of the file: no other reading of the
    /// same bytes can then find another directory behind this one.
    Directory find_directory() {
        std::uint64_t tail = std::min(size_, kLongestComment + kEndSize);
        std::string bytes = read(size_ - tail, tail);
        for (std::size_t at = bytes.size() >= kEndSize ? bytes.size() - kEndSize + 1 : 0;
             at-- > 0;) {
            Fields fields(std::string_view(bytes).substr(at), refuse_);
            if (fields.u32() != kEnd)
                continue;
            std::uint16_t disk = fields.u16(), disk_of_directory = fields.u16();
            std::uint16_t here = fields.u16(), entries = fields.u16();
            std::uint32_t size = fields.u32(), begin = fields.u32();
            if (fields.u16() != fields.left())
                continue;  // bytes of a comment that look like an end
            std::uint64_t end = size_ - tail + at;
            bool large = entries == 0xffff || size == 0xffffffff || begin == 0xffffffff;
            Directory directory{begin, size, entries};
            if (large)
                directory = directory_64(end);
            else if (disk != 0 || disk_of_directory != 0 || here != entries)
                refuse("it is a part of several");
            return checked(directory, end);
        }
        refuse("it is no ZIP archive");
    }

    Directory directory_64(std::uint64_t& end) {
        if (end < kLocator64Size + kEnd64Size)
            refuse("its large directory has no end record");
        std::string locator = read(end - kLocator64Size, kLocator64Size);
        Fields place(locator, refuse_);
        std::uint32_t mark = place.u32(), disk = place.u32();
        std::uint64_t at = place.u64();
        if (mark != kLocator64 || disk != 0 || place.u32() > 1)
            refuse("its large directory has no end record");
        if (at > end - kLocator64Size - kEnd64Size)
            refuse("a part of it lies beyond its end");
        std::string record = read(at, kEnd64Size);
        Fields fields(record, refuse_);
        mark = fields.u32();
        std::uint64_t record_size = fields.u64();
        fields.take(4);  // versions
        std::uint32_t first = fields.u32(), second = fields.u32();
        std::uint64_t here = fields.u64(), entries = fields.u64();
        std::uint64_t size = fields.u64(), begin = fields.u64();
        if (mark != kEnd64 || record_size != end - kLocator64Size - at - 12 || first != 0 ||
            second != 0 || here != entries)
            refuse("the end record of its large directory is none");
        end = at;
        return {begin, size, entries};
    }

    Directory checked(const Directory& directory, std::uint64_t end) const {
        if (directory.size > kLargestDirectory)
            refuse(fmt::format("its directory has {} bytes, over the limit of {}",
                               directory.size,
                               kLargestDirectory));
        if (directory.begin > end || directory.size != end - directory.begin)
            refuse("its directory is not where its end says");
        if (directory.entries > limits_.entries)
            refuse(fmt::format(
                "it has {} entries, over the limit of {}", directory.entries, limits_.entries));
        if (directory.entries * kEntrySize > directory.size)
            refuse("its directory is too short for its entries");
        return directory;
    }

    /// The next entry of the directory, if it is the one wanted.
    std::optional<Member> entry(Fields& fields, std::string_view wanted) const {
        if (fields.u32() != kEntry)
            refuse("an entry of its directory is none");
        fields.take(4);  // versions
        Member member;
        member.flags = fields.u16();
        member.method = fields.u16();
        fields.take(4);  // time
        member.crc = fields.u32();
        member.packed = fields.u32();
        member.size = fields.u32();
        std::uint16_t name_size = fields.u16(), extra_size = fields.u16();
        std::uint16_t comment_size = fields.u16(), disk = fields.u16();
        fields.take(2);  // internal attributes
        member.attributes = fields.u32();
        member.header = fields.u32();
        std::string_view name = fields.take(name_size);
        std::string_view extra = fields.take(extra_size);
        fields.take(comment_size);
        if (name != wanted)
            return {};
        if (disk != 0)
            refuse("it is a part of several");
        read_large_sizes(extra, member);
        return member;
    }

    /// A number that has no room in its 32 bits stands in an extra field, in this order.
    void read_large_sizes(std::string_view extra, Member& member) const {
        bool size = member.size == 0xffffffff, packed = member.packed == 0xffffffff;
        bool header = member.header == 0xffffffff;
        Fields fields(extra, refuse_);
        while (fields.left() >= 4 && (size || packed || header)) {
            std::uint16_t kind = fields.u16(), length = fields.u16();
            Fields numbers(fields.take(length), refuse_);
            if (kind != kExtra64)
                continue;
            if (std::exchange(size, false))
                member.size = numbers.u64();
            if (std::exchange(packed, false))
                member.packed = numbers.u64();
            if (std::exchange(header, false))
                member.header = numbers.u64();
        }
    }

    void check(const Member& member, const Directory& directory) const {
        constexpr std::uint32_t kKindOfFile = 0170000, kLink = 0120000, kFolder = 0040000;
        std::uint32_t kind = (member.attributes >> 16) & kKindOfFile;
        if (kind == kLink || kind == kFolder)
            refuse("what is wanted of it is no file");
        if (member.flags & 0x2041)  // encrypted, strongly so, or its directory
            refuse("it is encrypted");
        if (member.flags & 0x20)
            refuse("it is a patch to something else");
        if (member.method != kStored && member.method != kDeflated)
            refuse(fmt::format("it is packed by method {}, and 0 and 8 are read", member.method));
        if (member.size > limits_.bytes)
            refuse(fmt::format(
                "{} bytes unpacked are over the limit of {}", member.size, limits_.bytes));
        if (member.method == kStored && member.packed != member.size)
            refuse("a stored member of it has two sizes");
        if (member.packed > directory.begin || member.header > directory.begin - member.packed)
            refuse("a part of it lies beyond its end");
        if (member.size > kRatioFrom && member.size / limits_.ratio > member.packed)
            refuse(fmt::format("{} bytes would become {}, over {} times as many",
                               member.packed,
                               member.size,
                               limits_.ratio));
    }

    /// Where a member's bytes begin, behind its own header.
    std::uint64_t data_of(const Member& member, std::string_view wanted) const {
        std::string bytes = read(member.header, kLocalSize);
        Fields fields(bytes, refuse_);
        if (fields.u32() != kLocal)
            refuse("a member of it has no header");
        fields.take(2);  // version
        std::uint16_t flags = fields.u16(), method = fields.u16();
        fields.take(16);  // time, CRC and sizes, which may follow the bytes instead
        std::uint16_t name_size = fields.u16(), extra_size = fields.u16();
        if (flags != member.flags || method != member.method || name_size != wanted.size() ||
            read(member.header + kLocalSize, name_size) != wanted)
            refuse("the two headers of a member of it differ");
        std::uint64_t begin = member.header + kLocalSize + name_size + extra_size;
        if (begin > directory_ || member.packed > directory_ - begin)
            refuse("a part of it lies beyond its end");
        return begin;
    }

    fs::path path_;
    ZipLimits limits_;
    std::function<void(std::string)> refuse_;
    Descriptor file_;
    std::uint64_t size_ = 0;
    std::uint64_t directory_ = 0;  // where members end
};

}  // namespace

void unzip_member(const fs::path& archive,
                  std::string_view member,
                  const std::function<void(std::string_view)>& take,
                  const ZipLimits& limits) {
    Archive opened(archive, limits);
    opened.unpack(opened.find(member), member, take);
}

}  // namespace stillroom::lm
