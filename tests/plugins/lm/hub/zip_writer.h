#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

namespace stillroom::lm {

/// Writes ZIP archives for tests, with any of their numbers wrong.
struct ZipEntry {
    std::string name = {};
    std::string bytes = {};
    bool deflated = false;
    bool large = false;  ///< its sizes and place stand in a ZIP64 field
    std::uint16_t flags = 0;
    std::uint32_t attributes = 0;
    // What to say instead of what is so; 0: what is so.
    std::uint32_t crc = 0, size = 0, packed = 0, header = 0;
    std::uint16_t method = 0;
    std::string local_name = {};
};

class ZipWriter {
public:
    bool large_end = false;  ///< a ZIP64 end record
    std::string before, after_directory, comment;
    std::uint64_t more_entries = 0, directory_shift = 0, more_directory = 0;

    std::string write(const std::vector<ZipEntry>& entries) {
        out_ = before;
        std::string directory;
        for (const ZipEntry& entry : entries)
            directory += add(entry);
        std::uint64_t begin = out_.size() + directory_shift;
        std::uint64_t size = directory.size() + more_directory,
                      count = entries.size() + more_entries;
        out_ += directory + after_directory;
        if (large_end) {
            std::uint64_t record = out_.size();
            out_ += number(0x06064b50, 4) + number(44, 8) + number(45, 2) + number(45, 2) +
                    number(0, 4) + number(0, 4) + number(count, 8) + number(count, 8) +
                    number(size, 8) + number(begin, 8);
            out_ += number(0x07064b50, 4) + number(0, 4) + number(record, 8) + number(1, 4);
            count = 0xffff;
            size = begin = 0xffffffff;
        }
        out_ += number(0x06054b50, 4) + number(0, 4) + number(count, 2) + number(count, 2) +
                number(size, 4) + number(begin, 4) + number(comment.size(), 2) + comment;
        return out_;
    }

    static std::string number(std::uint64_t value, int bytes) {
        std::string text;
        for (int i = 0; i < bytes; ++i)
            text += static_cast<char>(value >> (8 * i));
        return text;
    }

private:
    static std::string deflated(const std::string& bytes) {
        z_stream stream{};
        ::deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
        std::string out(::deflateBound(&stream, bytes.size()), '\0');
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        stream.avail_in = static_cast<uInt>(bytes.size());
        stream.next_out = reinterpret_cast<Bytef*>(out.data());
        stream.avail_out = static_cast<uInt>(out.size());
        ::deflate(&stream, Z_FINISH);
        out.resize(stream.total_out);
        ::deflateEnd(&stream);
        return out;
    }

    /// Writes the member; its entry of the directory is returned.
    std::string add(const ZipEntry& entry) {
        std::string bytes = entry.deflated ? deflated(entry.bytes) : entry.bytes;
        std::uint32_t crc = static_cast<std::uint32_t>(
            ::crc32_z(0, reinterpret_cast<const Bytef*>(entry.bytes.data()), entry.bytes.size()));
        auto said = [](std::uint64_t instead, std::uint64_t so) { return instead ? instead : so; };
        std::uint64_t size = said(entry.size, entry.bytes.size());
        std::uint64_t packed = said(entry.packed, bytes.size());
        std::uint64_t header = said(entry.header, out_.size());
        std::string flags = number(entry.flags, 2);
        std::string method = number(said(entry.method, entry.deflated ? 8 : 0), 2);
        std::string sums = number(said(entry.crc, crc), 4);
        std::string name = entry.local_name.empty() ? entry.name : entry.local_name;
        out_ += number(0x04034b50, 4) + number(20, 2) + flags + method + number(0, 4) + sums +
                number(packed, 4) + number(size, 4) + number(name.size(), 2) + number(0, 2) + name +
                bytes;
        std::string extra;
        if (entry.large) {
            extra = number(0x7777, 2) + number(3, 2) + "abc" + number(1, 2) + number(24, 2) +
                    number(size, 8) + number(packed, 8) + number(header, 8);
            size = packed = header = 0xffffffff;
        }
        return number(0x02014b50, 4) + number(20, 2) + number(20, 2) + flags + method +
               number(0, 4) + sums + number(packed, 4) + number(size, 4) +
               number(entry.name.size(), 2) + number(extra.size(), 2) + number(0, 2) +
               number(0, 2) + number(0, 2) + number(entry.attributes, 4) + number(header, 4) +
               entry.name + extra;
    }

    std::string out_;
};

}  // namespace stillroom::lm
