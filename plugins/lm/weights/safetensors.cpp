#include "plugins/lm/weights/safetensors.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

namespace stillroom::lm {
namespace {

constexpr std::uint64_t kLengthBytes = 8;  // in front of the header

[[noreturn]] void refuse_file(const MappedFile& file, std::string_view why) {
    throw Error({}, fmt::format("cannot read {}: {}", file.path().string(), why))
        .hint("was a download or a copy broken off?")
        .exit_code(kExitBadInput);
}

std::uint64_t header_length(const MappedFile& file) {
    if (file.size() < kLengthBytes)
        refuse_file(file,
                    fmt::format("a safetensors file has at least {} bytes, this one {}",
                                kLengthBytes,
                                file.size()));
    std::array<std::byte, kLengthBytes> little_endian;
    file.read(0, little_endian);
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < kLengthBytes; ++i)
        length |= std::to_integer<std::uint64_t>(little_endian[i]) << (8 * i);
    if (length > kMostHeaderBytes)
        throw Error({},
                    fmt::format("cannot read {}: a header of {} bytes is over the limit of {}",
                                file.path().string(),
                                length,
                                kMostHeaderBytes))
            .hint("is it a safetensors file?")
            .exit_code(kExitBadInput);
    if (length > file.size() - kLengthBytes)
        refuse_file(
            file,
            fmt::format(
                "a header of {} bytes does not fit into a file of {}", length, file.size()));
    return length;
}

std::uint64_t alignment_of(Dtype dtype) {
    return static_cast<std::uint64_t>(std::max(bits_of(dtype) / 8, 1));
}

}  // namespace

/// Of tensors that lie unaligned, by offset.
struct TensorFile::Copies {
    std::mutex mutex;
    std::map<std::uint64_t, std::unique_ptr<std::byte[]>> by_offset;
};

TensorFile::TensorFile(MappedFile file, SafetensorsHeader header)
    : file_(std::move(file)),
      header_(std::move(header)),
      copies_(std::make_unique<Copies>()) {}
TensorFile::TensorFile(TensorFile&&) noexcept = default;
TensorFile& TensorFile::operator=(TensorFile&&) noexcept = default;
TensorFile::~TensorFile() = default;

TensorFile TensorFile::open(const std::filesystem::path& path) {
    MappedFile file = MappedFile::open(path);
    std::uint64_t length = header_length(file);
    std::string text(length, '\0');
    file.read(kLengthBytes, std::as_writable_bytes(std::span(text)));
    std::uint64_t begin = kLengthBytes + length;
    SafetensorsHeader header =
        read_safetensors_header(text, file.size() - begin, file.path().string());
    for (TensorInfo& info : header.tensors)
        info.offset += begin;
    return TensorFile(std::move(file), std::move(header));
}

const TensorInfo& TensorFile::at(std::string_view name) const {
    if (const TensorInfo* found = find(name))
        return *found;
    throw Error({}, fmt::format("{} holds no tensor '{}'", path().string(), shown(name)))
        .exit_code(kExitBadInput);
}

void TensorFile::check_inside(const TensorInfo& info) const {
    if (info.offset > size() || info.bytes > size() - info.offset)
        throw Error({}, fmt::format("'{}' is no tensor of {}", shown(info.name), path().string()))
            .exit_code(kExitInternal);
}

std::span<const std::byte> TensorFile::bytes(const TensorInfo& info) const {
    check_inside(info);
    if (info.bytes == 0)
        return {};
    if (info.offset % alignment_of(info.dtype) == 0) {
        check();
        return file_.bytes().subspan(info.offset, info.bytes);
    }
    std::lock_guard lock(copies_->mutex);
    std::unique_ptr<std::byte[]>& copy = copies_->by_offset[info.offset];
    if (!copy) {
        auto fresh = std::make_unique_for_overwrite<std::byte[]>(info.bytes);
        read(info, {fresh.get(), info.bytes});
        copy = std::move(fresh);
    }
    return {copy.get(), info.bytes};
}

void TensorFile::read(const TensorInfo& info, std::span<std::byte> into) const {
    check_inside(info);
    if (into.size() != info.bytes)
        throw Error(
            {}, fmt::format("'{}' has {} bytes, not {}", shown(info.name), info.bytes, into.size()))
            .exit_code(kExitInternal);
    file_.read(info.offset, into);
}

void TensorFile::forget(const TensorInfo& info) const {
    check_inside(info);
    file_.forget(info.offset, info.bytes);
    std::lock_guard lock(copies_->mutex);
    copies_->by_offset.erase(info.offset);
}

}  // namespace stillroom::lm
