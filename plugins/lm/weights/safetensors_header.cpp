#include "plugins/lm/weights/safetensors_header.h"

#include "engine/base/error.h"
#include "plugins/lm/weights/safetensors_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <tuple>

namespace stillroom::lm {
namespace {

class HeaderParser : SafetensorsText {
public:
    using SafetensorsText::SafetensorsText;

    SafetensorsHeader read() {
        require_utf8();
        if (!take('{'))
            refuse("the header is no JSON object");
        bool has_metadata = false;
        members([&](std::string name) {
            if (name != "__metadata__") {
                tensor(std::move(name));
            } else {
                if (has_metadata)
                    refuse("__metadata__ is here twice");
                has_metadata = true;
                metadata();
            }
        });
        require_end();
        return std::move(header_);
    }

private:
    void metadata() {
        if (take_null())  // as the format's own reader has it: none
            return;
        if (!take('{'))
            refuse("__metadata__ is no map of texts");
        members([&](std::string key) {
            if (header_.metadata.size() == kMostMetadata)
                refuse(fmt::format("more than {} texts in __metadata__", kMostMetadata));
            std::string value = string("a text: so is every value of __metadata__");
            header_.metadata.emplace_back(std::move(key), std::move(value));
        });
        std::vector<std::string_view> keys;
        for (const auto& [key, value] : header_.metadata)
            keys.push_back(key);
        std::sort(keys.begin(), keys.end());
        auto twice = std::adjacent_find(keys.begin(), keys.end());
        if (twice != keys.end())
            refuse(fmt::format("__metadata__ has '{}' twice", shown(*twice)));
    }

    void tensor(std::string name) {
        if (header_.tensors.size() == kMostTensors)
            refuse(fmt::format("more than {} tensors", kMostTensors));
        TensorInfo info;
        info.name = std::move(name);
        about(&info.name);
        if (!take('{'))
            refuse_tensor("expected its dtype, shape and data_offsets in braces");
        bool has_dtype = false, has_shape = false, has_offsets = false;
        auto once = [&](bool& has, std::string_view field) {
            if (has)
                refuse_tensor(fmt::format("{} is here twice", field));
            has = true;
        };
        members([&](const std::string& field) {
            if (field == "dtype") {
                once(has_dtype, field);
                read_dtype(info);
            } else if (field == "shape") {
                once(has_shape, field);
                read_shape(info);
            } else if (field == "data_offsets") {
                once(has_offsets, field);
                read_offsets(info);
            } else {
                refuse_tensor(fmt::format("unknown field '{}'", shown(field)));
            }
        });
        for (auto [has, field] : {std::pair(has_dtype, "dtype"),
                                  std::pair(has_shape, "shape"),
                                  std::pair(has_offsets, "data_offsets")})
            if (!has)
                refuse_tensor(fmt::format("{} is missing", field));
        check_size(info);
        about(nullptr);
        header_.tensors.push_back(std::move(info));
    }

    void read_dtype(TensorInfo& info) {
        std::string name = string("a dtype in quotes");
        std::optional<Dtype> dtype = dtype_named(name);
        if (!dtype)
            refuse_tensor(fmt::format("unknown dtype '{}'", shown(name)));
        info.dtype = *dtype;
    }

    void read_shape(TensorInfo& info) {
        if (!take('['))
            refuse_tensor("its shape is no list");
        if (take(']'))
            return;
        do {
            if (info.shape.size() == kMostDims)
                refuse_tensor(fmt::format("its shape has more than {} dims", kMostDims));
            std::uint64_t size = whole_number("a dim of its shape");
            if (size > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
                refuse_tensor(fmt::format("a dim of {} is too large", size));
            info.shape.push_back(static_cast<std::int64_t>(size));
        } while (take(','));
        need(']');
    }

    void read_offsets(TensorInfo& info) {
        need('[');
        std::uint64_t begin = whole_number("a data offset");
        need(',');
        std::uint64_t end = whole_number("a data offset");
        need(']');
        if (end < begin)
            refuse_tensor(fmt::format("it ends at {} before it begins at {}", end, begin));
        info.offset = begin;
        info.bytes = end - begin;
    }

    /// Its shape against its bytes. The product is taken from the left, as elements() takes it.
    void check_size(const TensorInfo& info) const {
        std::int64_t count = 1;
        std::uint64_t bits = 0;
        bool fits = true;
        for (std::int64_t size : info.shape)
            fits = fits && !__builtin_mul_overflow(count, size, &count);
        if (!fits || __builtin_mul_overflow(static_cast<std::uint64_t>(count),
                                            static_cast<std::uint64_t>(bits_of(info.dtype)),
                                            &bits))
            refuse_tensor(fmt::format("its shape {} has more elements than can be counted",
                                      to_string(info.shape)));
        if (bits % 8 != 0)
            refuse_tensor(fmt::format("{} {} takes {} bits and ends inside a byte",
                                      name_of(info.dtype),
                                      to_string(info.shape),
                                      bits));
        if (bits / 8 != info.bytes)
            refuse_tensor(fmt::format("{} {} takes {} bytes, its data_offsets hold {}",
                                      name_of(info.dtype),
                                      to_string(info.shape),
                                      bits / 8,
                                      info.bytes));
    }

    SafetensorsHeader header_;
};

[[noreturn]] void refuse_layout(std::string_view file, std::string_view why) {
    throw Error({}, fmt::format("cannot read {}: {}", file, why)).exit_code(kExitBadInput);
}

void index_names(SafetensorsHeader& header, std::string_view file) {
    const std::vector<TensorInfo>& tensors = header.tensors;
    header.by_name.resize(tensors.size());
    std::iota(header.by_name.begin(), header.by_name.end(), 0U);
    std::sort(header.by_name.begin(), header.by_name.end(), [&](auto a, auto b) {
        return tensors[a].name < tensors[b].name;
    });
    auto twice =
        std::adjacent_find(header.by_name.begin(), header.by_name.end(), [&](auto a, auto b) {
            return tensors[a].name == tensors[b].name;
        });
    if (twice != header.by_name.end())
        refuse_layout(
            file, fmt::format("tensor '{}' is in its header twice", shown(tensors[*twice].name)));
}

/// The tensors, sorted by their bytes, one behind the other from the first byte of data to the
/// last.
void check_layout(const std::vector<TensorInfo>& tensors,
                  std::uint64_t data_bytes,
                  std::string_view file) {
    std::uint64_t end = 0;
    const TensorInfo* before = nullptr;
    for (const TensorInfo& info : tensors) {
        if (info.offset > end)
            refuse_layout(
                file,
                fmt::format(
                    "a hole of {} bytes before tensor '{}'", info.offset - end, shown(info.name)));
        if (info.offset < end)
            refuse_layout(
                file,
                fmt::format(
                    "tensors '{}' and '{}' overlap", shown(before->name), shown(info.name)));
        end = info.offset + info.bytes;
        before = &info;
    }
    if (end > data_bytes)
        throw Error({},
                    fmt::format("cannot read {}: it is cut short: its header describes {} bytes of "
                                "data, {} are there",
                                file,
                                end,
                                data_bytes))
            .hint("was a download or a copy broken off?")
            .exit_code(kExitBadInput);
    if (end < data_bytes)
        refuse_layout(
            file,
            fmt::format("{} bytes behind its last tensor: its header describes {} bytes of data, "
                        "{} are there",
                        data_bytes - end,
                        end,
                        data_bytes));
}

}  // namespace

const TensorInfo* SafetensorsHeader::find(std::string_view name) const {
    auto found = std::lower_bound(
        by_name.begin(), by_name.end(), name, [&](std::uint32_t index, std::string_view wanted) {
            return tensors[index].name < wanted;
        });
    return found != by_name.end() && tensors[*found].name == name ? &tensors[*found] : nullptr;
}

SafetensorsHeader read_safetensors_header(std::string_view text,
                                          std::uint64_t data_bytes,
                                          std::string_view file) {
    SafetensorsHeader header = HeaderParser(text, file).read();
    std::sort(header.tensors.begin(), header.tensors.end(), [](const auto& a, const auto& b) {
        return std::tie(a.offset, a.bytes, a.name) < std::tie(b.offset, b.bytes, b.name);
    });
    index_names(header, file);
    check_layout(header.tensors, data_bytes, file);
    return header;
}

}  // namespace stillroom::lm
