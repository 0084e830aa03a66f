#include "plugins/lm/data/decompress.h"

#include "plugins/lm/data/snappy.h"
#include "plugins/lm/data/thrift_reader.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>

namespace stillroom::lm {
namespace {

constexpr std::size_t kFirst = std::size_t{64} << 10;

/// Makes room for more, up to `size`; false: it is full.
bool grow(std::string& out, std::size_t filled, std::size_t size) {
    if (filled == size)
        return false;
    if (filled == out.size())
        out.resize(std::min(size, std::max(kFirst, out.size() * 2)));
    return true;
}

[[noreturn]] void wrong_size(const char* codec, std::size_t size) {
    throw BadBytes{fmt::format("{} data that is not the {} bytes that belong there", codec, size)};
}

std::string gunzip(std::span<const std::byte> bytes, std::size_t size) {
    z_stream stream{};
    if (inflateInit2(&stream, 15 + 32) != Z_OK)
        throw std::bad_alloc();
    std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
    // zlib's own header takes it without const.
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    std::string out;
    std::size_t filled = 0;
    char beyond = 0;
    for (;;) {
        bool room = grow(out, filled, size);
        stream.next_out = reinterpret_cast<Bytef*>(room ? out.data() + filled : &beyond);
        uInt had = room ? static_cast<uInt>(out.size() - filled) : 1;
        stream.avail_out = had;
        int result = inflate(&stream, Z_NO_FLUSH);
        std::size_t came = had - stream.avail_out;
        if (!room && came > 0)
            wrong_size("gzip", size);
        filled += came;
        if (result == Z_STREAM_END) {
            if (stream.avail_in == 0 || inflateReset(&stream) != Z_OK)
                break;
        } else if (result != Z_OK || (came == 0 && stream.avail_in == 0)) {
            throw BadBytes{"gzip data that is damaged"};
        }
    }
    if (filled != size)
        wrong_size("gzip", size);
    out.resize(filled);
    return out;
}

std::string unzstd(std::span<const std::byte> bytes, std::size_t size) {
    std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                         ZSTD_freeDStream);
    if (!stream)
        throw std::bad_alloc();
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    std::string out;
    std::size_t filled = 0;
    char beyond = 0;
    std::size_t left = 1;  // of the frame at hand; 0: it is whole
    while (in.pos < in.size || left != 0) {
        bool room = grow(out, filled, size);
        ZSTD_outBuffer to{room ? out.data() + filled : &beyond, room ? out.size() - filled : 1, 0};
        std::size_t before = in.pos;
        left = ZSTD_decompressStream(stream.get(), &to, &in);
        if (ZSTD_isError(left))
            throw BadBytes{"zstd data that is damaged"};
        if (!room && to.pos > 0)
            wrong_size("zstd", size);
        filled += to.pos;
        if (left != 0 && to.pos == 0 && in.pos == before)
            throw BadBytes{"zstd data that ends too early"};
    }
    if (filled != size)
        wrong_size("zstd", size);
    out.resize(filled);
    return out;
}

const char* name_of(ParquetCodec codec) {
    switch (codec) {
        case ParquetCodec::lzo:
            return "LZO";
        case ParquetCodec::brotli:
            return "Brotli";
        default:
            return "LZ4";
    }
}

}  // namespace

std::string decompress(int number, std::span<const std::byte> bytes, std::size_t size) {
    if (number < 0 || number > static_cast<int>(ParquetCodec::lz4_raw))
        throw BadBytes{fmt::format("compression {}, which is none", number)};
    auto codec = static_cast<ParquetCodec>(number);
    switch (codec) {
        case ParquetCodec::none:
            if (bytes.size() != size)
                throw BadBytes{fmt::format("{} bytes where {} belong", bytes.size(), size)};
            return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        case ParquetCodec::snappy:
            return unsnappy(bytes, size);
        case ParquetCodec::gzip:
            return gunzip(bytes, size);
        case ParquetCodec::zstd:
            return unzstd(bytes, size);
        default:
            throw BadBytes{fmt::format(
                "{} compression, which is not read: snappy, gzip and zstd are", name_of(codec))};
    }
}

}  // namespace stillroom::lm
