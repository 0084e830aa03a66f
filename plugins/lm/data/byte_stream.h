#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace stillroom::lm {

/// Bytes from front to back, of a file or of what a file holds packed. What is wrong throws Error
/// (exit 3) naming the file.
class STILLROOM_API ByteStream {
public:
    virtual ~ByteStream();

    /// Fills `into`; fewer bytes than it has room for only where the stream ends.
    virtual std::size_t read(std::span<char> into) = 0;

    /// Goes on behind these bytes, or at the end where there are fewer.
    virtual void skip(std::uint64_t bytes);

    /// Bytes of the file that were read so far: packed ones, where it is packed. From any thread.
    virtual std::uint64_t taken() const = 0;
};

enum class Packing { none, gzip, zstd };

/// By the name's ending, `.gz`, `.zst` or `.zstd`; otherwise by the first bytes, so that a stream
/// without a name is known too.
STILLROOM_API Packing packing_of(const std::filesystem::path& file);

/// The file as it is. It ends where it ended when it was opened, even if it grows meanwhile; one
/// that is cut meanwhile is an error.
STILLROOM_API std::unique_ptr<ByteStream> open_file(const std::filesystem::path& file);

/// The bytes that it holds. Packed ones are unpacked on a thread of their own, a few MiB ahead:
/// gzip of one or several members, zstd of one or several frames with windows up to 128 MiB. A
/// member that is cut or damaged, and anything behind the last one, is an error.
STILLROOM_API std::unique_ptr<ByteStream> open_unpacked(const std::filesystem::path& file);

/// The same of any bytes, on the caller's thread. `name` stands in messages.
STILLROOM_API std::unique_ptr<ByteStream> unpack(std::unique_ptr<ByteStream> packed,
                                                 Packing packing,
                                                 const std::string& name);

}  // namespace stillroom::lm
