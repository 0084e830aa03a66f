#include "plugins/lm/weights/gguf_header.h"

#include "engine/base/text.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace stillroom::lm {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are read as they lie");

constexpr std::uint64_t kMostTensors = 1'000'000;
constexpr std::uint64_t kMostKeys = 65536;
constexpr std::uint64_t kMostTexts = 8'000'000;  // in all arrays: vocabularies end at 4 million
constexpr std::uint64_t kLongestKey = 65535;
constexpr std::uint64_t kLongestTensorName = 63;
constexpr std::int64_t kLargestAlignment = 1 << 20;

// The fewest bytes that an entry can have, so that a count says how much file it needs: of a key,
// its length, one byte, its type and a value of one byte; of a tensor, its name's length, one byte,
// n_dims, type, offset.
constexpr std::uint64_t kLeastKey = 8 + 1 + 4 + 1;
constexpr std::uint64_t kLeastTensor = 8 + 1 + 4 + 4 + 8;

std::uint64_t size_of(GgufKind kind) {
    switch (kind) {
        case GgufKind::u8:
        case GgufKind::i8:
        case GgufKind::boolean:
            return 1;
        case GgufKind::u16:
        case GgufKind::i16:
            return 2;
        case GgufKind::u32:
        case GgufKind::i32:
        case GgufKind::f32:
            return 4;
        case GgufKind::u64:
        case GgufKind::i64:
        case GgufKind::f64:
            return 8;
        case GgufKind::string:
        case GgufKind::array:
            break;
    }
    return 0;
}

/// Names are checked to be UTF-8 before they are shown.
std::string named(std::string_view name) {
    return "'" + shown(name) + "'";
}

}  // namespace

GgufHeaderReader::GgufHeaderReader(GgufFile& file, std::string_view bytes)
    : file_(file),
      bytes_(bytes),
      size_(file.file_.size()) {}

bool GgufHeaderReader::read() try {
    begin();
    return true;
} catch (const Short&) {
    return false;
}

std::string_view GgufHeaderReader::take(std::uint64_t size, std::string_view what) {
    if (size > left())
        file_.refuse(fmt::format("{} takes {} bytes at offset {}, where {} are left of the file",
                                 what,
                                 size,
                                 at_,
                                 left()));
    if (size > bytes_.size() - at_)
        throw Short{};
    std::string_view taken = bytes_.substr(at_, size);
    at_ += size;
    return taken;
}

template <class T>
T GgufHeaderReader::number() {
    T value;
    std::memcpy(&value, take(sizeof value, "the header").data(), sizeof value);
    return value;
}

std::string_view GgufHeaderReader::string(std::string_view what) {
    auto size = number<std::uint64_t>();
    return take(size, what);
}

void GgufHeaderReader::begin() {
    std::string_view magic = take(4, "the magic number");
    if (magic != "GGUF")
        file_.refuse("it is no GGUF file: its first bytes are not 'GGUF'");
    auto version = number<std::uint32_t>();
    if (version != 2 && version != 3) {
        bool swapped = version != 0 && (version & 0xffff) == 0;
        file_.refuse(swapped ? std::string("it is a big-endian GGUF file, and only little-endian "
                                           "ones are read")
                             : fmt::format("GGUF version {} is not known, 2 and 3 are", version));
    }
    file_.version_ = version;
    auto tensors = number<std::uint64_t>();
    auto pairs = number<std::uint64_t>();
    if (tensors > kMostTensors || tensors > left() / kLeastTensor)
        file_.refuse(
            fmt::format("it claims {} tensors, more than its {} bytes or the limit of {} "
                        "have room for",
                        tensors,
                        size_,
                        kMostTensors));
    if (pairs > kMostKeys || pairs > left() / kLeastKey)
        file_.refuse(fmt::format(
            "it claims {} keys, more than its {} bytes or the limit of {} have room for",
            pairs,
            size_,
            kMostKeys));
    keys(pairs);
    tensor_infos(tensors);
    place_tensors();
}

void GgufHeaderReader::keys(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
        std::string_view key = string(fmt::format("the name of key {}", i));
        if (key.empty() || key.size() > kLongestKey)
            file_.refuse(fmt::format(
                "the name of key {} has {} bytes, not 1 to {}", i, key.size(), kLongestKey));
        if (find_invalid_utf8(key))
            file_.refuse(fmt::format("the name of key {} is not UTF-8", i));
        GgufValue value;
        value_of(key, value);
        auto [place, is_new] = file_.values_.emplace(key, std::move(value));
        if (!is_new)
            file_.refuse(fmt::format("the key {} is there twice", named(key)));
    }
    if (std::optional<std::int64_t> bytes = file_.integer("general.alignment")) {
        if (*bytes <= 0 || *bytes > kLargestAlignment ||
            !std::has_single_bit(static_cast<std::uint64_t>(*bytes)))
            file_.refuse(fmt::format(
                "general.alignment is {}, not a power of two up to {}", *bytes, kLargestAlignment));
        alignment_ = static_cast<std::uint64_t>(*bytes);
    }
}

void GgufHeaderReader::value_of(std::string_view key, GgufValue& value) {
    auto kind = number<std::uint32_t>();
    if (kind > static_cast<std::uint32_t>(GgufKind::f64))
        file_.refuse(fmt::format("the value of {} is of the unknown type {}", named(key), kind));
    value.kind = static_cast<GgufKind>(kind);
    if (value.kind == GgufKind::array) {
        array_of(key, value);
    } else if (value.kind == GgufKind::string) {
        value.bytes = string("the value of " + named(key));
    } else {
        value.bytes = take(size_of(value.kind), "the value of " + named(key));
    }
    if (value.kind == GgufKind::boolean)
        for (char byte : value.bytes)
            if (byte != 0 && byte != 1)
                file_.refuse(fmt::format("{} holds the bool {}, not 0 or 1",
                                         named(key),
                                         static_cast<unsigned char>(byte)));
}

void GgufHeaderReader::array_of(std::string_view key, GgufValue& value) {
    value.is_array = true;
    auto kind = number<std::uint32_t>();
    auto count = number<std::uint64_t>();
    value.count = count;
    if (kind == static_cast<std::uint32_t>(GgufKind::array))
        file_.refuse(fmt::format("{} is an array of arrays", named(key)));
    if (kind > static_cast<std::uint32_t>(GgufKind::f64))
        file_.refuse(fmt::format("{} is an array of the unknown type {}", named(key), kind));
    value.kind = static_cast<GgufKind>(kind);
    bool strings = value.kind == GgufKind::string;
    std::uint64_t each = strings ? 8 : size_of(value.kind);  // a text's length at least
    if (count > left() / each)
        file_.refuse(fmt::format("{} claims {} items, more than the {} bytes left of the file hold",
                                 named(key),
                                 count,
                                 left()));
    if (!strings) {
        value.bytes = take(count * each, named(key));
        return;
    }
    texts_ += count;
    if (texts_ > kMostTexts)
        file_.refuse(fmt::format("its arrays hold more than {} texts", kMostTexts));
    if (count > (bytes_.size() - at_) / each)
        throw Short{};  // before room is made for them
    value.strings.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i)
        value.strings.push_back(string("an item of the array"));
}

void GgufHeaderReader::tensor_infos(std::uint64_t count) {
    if (count > (bytes_.size() - at_) / kLeastTensor && bytes_.size() < size_)
        throw Short{};
    file_.tensors_.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i)
        one_tensor(i);
    for (std::size_t i = 0; i < file_.tensors_.size(); ++i)
        if (!file_.by_name_.emplace(file_.tensors_[i].name, i).second)
            file_.refuse(
                fmt::format("the tensor {} is there twice", named(file_.tensors_[i].name)));
}

void GgufHeaderReader::one_tensor(std::uint64_t number_of_it) {
    GgufTensor tensor;
    std::string_view name = string(fmt::format("the name of tensor {}", number_of_it));
    if (name.empty() || name.size() > kLongestTensorName)
        file_.refuse(fmt::format("the name of tensor {} has {} bytes, not 1 to {}",
                                 number_of_it,
                                 name.size(),
                                 kLongestTensorName));
    if (find_invalid_utf8(name))
        file_.refuse(fmt::format("the name of tensor {} is not UTF-8", number_of_it));
    tensor.name = name;
    auto dims = number<std::uint32_t>();
    if (dims > 4)
        file_.refuse(fmt::format("tensor {} has {} dimensions, more than 4", named(name), dims));
    std::uint64_t values = 1;
    for (std::uint32_t i = 0; i < dims; ++i) {
        auto dim = number<std::uint64_t>();
        if (dim == 0 || dim > INT64_MAX)
            file_.refuse(fmt::format(
                "tensor {} has the size {}", named(name), static_cast<std::int64_t>(dim)));
        if (__builtin_mul_overflow(values, dim, &values) || values > INT64_MAX)
            file_.refuse(fmt::format("tensor {} has more than 2^63 values", named(name)));
        tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(dim));
    }
    auto type = number<std::uint32_t>();
    tensor.type = block_type(type);
    if (!tensor.type)
        file_.refuse(fmt::format("tensor {} is of the unknown type {}", named(name), type));
    std::uint64_t row = dims == 0 ? 1 : static_cast<std::uint64_t>(tensor.shape.back());
    if (row % tensor.type->values != 0)
        file_.refuse(fmt::format("tensor {} has rows of {} values, and {} stores blocks of {}",
                                 named(name),
                                 row,
                                 tensor.type->name,
                                 tensor.type->values));
    if (__builtin_mul_overflow(values / tensor.type->values, tensor.type->bytes, &tensor.bytes) ||
        tensor.bytes > size_)
        file_.refuse(
            fmt::format("tensor {} with the shape {} in {} does not fit the {} bytes of "
                        "the file",
                        named(name),
                        to_string(tensor.shape),
                        tensor.type->name,
                        size_));
    tensor.offset = number<std::uint64_t>();  // from the beginning of the data, so far
    file_.tensors_.push_back(std::move(tensor));
}

void GgufHeaderReader::place_tensors() {
    // Padded sizes are at most size_ + kLargestAlignment each and are compared one by one: no sum
    // here can overflow.
    auto padded = [&](std::uint64_t size) {
        return (size + alignment_ - 1) / alignment_ * alignment_;
    };
    std::uint64_t data = padded(at_);
    std::uint64_t expected = 0;
    std::uint64_t end = at_;
    for (GgufTensor& tensor : file_.tensors_) {
        if (tensor.offset != expected)
            file_.refuse(
                fmt::format("tensor {} lies at offset {} of the data, not at {} behind "
                            "the one before it",
                            named(tensor.name),
                            tensor.offset,
                            expected));
        if (data > size_ || expected > size_ - data || tensor.bytes > size_ - data - expected)
            file_.refuse(fmt::format("tensor {} ends at byte {}, and the file has {}",
                                     named(tensor.name),
                                     data + expected + tensor.bytes,
                                     size_),
                         "was the file copied or fetched as a whole?");
        tensor.offset = data + expected;
        end = tensor.offset + tensor.bytes;
        expected += padded(tensor.bytes);
    }
    if (size_ > padded(end))
        file_.refuse(fmt::format("{} bytes follow the last tensor", size_ - end));
}

}  // namespace stillroom::lm
