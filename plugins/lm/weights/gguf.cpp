#include "plugins/lm/weights/gguf.h"

#include "engine/base/error.h"
#include "plugins/lm/weights/gguf_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace stillroom::lm {
namespace {

// A header holds the vocabulary: a few megabytes, 20 with the merges of a large one.
constexpr std::uint64_t kFirstRead = std::uint64_t{4} << 20;
constexpr std::uint64_t kLongestHeader = std::uint64_t{1} << 30;

template <class T>
T item(std::string_view bytes, std::uint64_t index) {
    T value;
    std::memcpy(&value, bytes.data() + index * sizeof value, sizeof value);
    return value;
}

}  // namespace

std::optional<std::int64_t> GgufValue::integer(std::uint64_t index) const {
    if (index >= count)
        return std::nullopt;
    switch (kind) {
        case GgufKind::u8:
            return item<std::uint8_t>(bytes, index);
        case GgufKind::i8:
            return item<std::int8_t>(bytes, index);
        case GgufKind::u16:
            return item<std::uint16_t>(bytes, index);
        case GgufKind::i16:
            return item<std::int16_t>(bytes, index);
        case GgufKind::u32:
            return item<std::uint32_t>(bytes, index);
        case GgufKind::i32:
            return item<std::int32_t>(bytes, index);
        case GgufKind::boolean:
            return item<std::uint8_t>(bytes, index);
        case GgufKind::i64:
            return item<std::int64_t>(bytes, index);
        case GgufKind::u64: {
            auto value = item<std::uint64_t>(bytes, index);
            if (value > INT64_MAX)
                return std::nullopt;
            return static_cast<std::int64_t>(value);
        }
        default:
            return std::nullopt;
    }
}

std::optional<double> GgufValue::number(std::uint64_t index) const {
    if (index >= count)
        return std::nullopt;
    if (kind == GgufKind::f32)
        return item<float>(bytes, index);
    if (kind == GgufKind::f64)
        return item<double>(bytes, index);
    if (std::optional<std::int64_t> whole = integer(index))
        return static_cast<double>(*whole);
    return std::nullopt;
}

GgufFile GgufFile::open(const std::filesystem::path& path) {
    GgufFile file = open_one(path);
    if (file.integer("split.count").value_or(1) > 1)
        file.join_parts();
    return file;
}

GgufFile GgufFile::open_one(const std::filesystem::path& path) {
    GgufFile file(MappedFile::open(path));
    std::uint64_t limit = std::min(file.file_.size(), kLongestHeader);
    for (std::uint64_t size = std::min(limit, kFirstRead);; size = std::min(limit, size * 2)) {
        // Read, not mapped: what was checked is what is used, whoever writes the file meanwhile.
        file.values_.clear();
        file.tensors_.clear();
        file.by_name_.clear();
        file.header_.resize(size);
        file.file_.read(0, std::as_writable_bytes(std::span(file.header_)));
        GgufHeaderReader reader(file, {file.header_.data(), file.header_.size()});
        if (reader.read())
            return file;
        if (size == limit)
            file.refuse(fmt::format("its header is longer than {} bytes", kLongestHeader));
    }
}

const GgufValue* GgufFile::find(std::string_view key) const {
    auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
}

void GgufFile::refuse(std::string_view why, std::string hint) const {
    throw Error({}, fmt::format("cannot read {}: {}", path().string(), why))
        .hint(std::move(hint))
        .exit_code(kExitBadInput);
}

std::optional<std::string_view> GgufFile::text(std::string_view key) const {
    const GgufValue* value = find(key);
    if (!value)
        return std::nullopt;
    if (value->is_array || value->kind != GgufKind::string)
        refuse(fmt::format("{} is no text", key));
    return value->bytes;
}

std::optional<std::int64_t> GgufFile::integer(std::string_view key) const {
    const GgufValue* value = find(key);
    if (!value)
        return std::nullopt;
    std::optional<std::int64_t> found =
        value->is_array || value->kind == GgufKind::boolean ? std::nullopt : value->integer();
    if (!found)
        refuse(fmt::format("{} is no integer", key));
    return found;
}

std::optional<double> GgufFile::number(std::string_view key) const {
    const GgufValue* value = find(key);
    if (!value)
        return std::nullopt;
    std::optional<double> found =
        value->is_array || value->kind == GgufKind::boolean ? std::nullopt : value->number();
    if (!found)
        refuse(fmt::format("{} is no number", key));
    return found;
}

std::optional<bool> GgufFile::boolean(std::string_view key) const {
    const GgufValue* value = find(key);
    if (!value)
        return std::nullopt;
    if (value->is_array || value->kind != GgufKind::boolean)
        refuse(fmt::format("{} is neither true nor false", key));
    return *value->integer() != 0;
}

const std::vector<std::string_view>* GgufFile::texts(std::string_view key) const {
    const GgufValue* value = find(key);
    if (!value)
        return nullptr;
    if (!value->is_array || value->kind != GgufKind::string)
        refuse(fmt::format("{} is no list of texts", key));
    return &value->strings;
}

const GgufValue* GgufFile::numbers(std::string_view key) const {
    const GgufValue* value = find(key);
    if (value && (!value->is_array || value->kind == GgufKind::string))
        refuse(fmt::format("{} is no list of numbers", key));
    return value;
}

const GgufTensor* GgufFile::tensor(std::string_view name) const {
    auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

void GgufFile::read(const GgufTensor& tensor,
                    std::uint64_t offset,
                    std::span<std::byte> into) const {
    const MappedFile& file = tensor.part == 0 ? file_ : others_[tensor.part - 1];
    file.read(tensor.offset + offset, into);
}

}  // namespace stillroom::lm
