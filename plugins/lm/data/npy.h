#pragma once

#include "plugins/lm/weights/file_sink.h"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <type_traits>

namespace stillroom::lm {

/// A `.npy` file of whole numbers, little-endian; `columns` 0: one dimension. It must not be there.
template <class T>
void write_npy(const std::filesystem::path& path,
               std::span<const T> values,
               std::size_t columns = 0) {
    std::string shape = columns == 0 ? fmt::format("({},)", values.size())
                                     : fmt::format("({}, {})", values.size() / columns, columns);
    std::string header = fmt::format("{{'descr': '<{}{}', 'fortran_order': False, 'shape': {}, }}",
                                     std::is_signed_v<T> ? 'i' : 'u',
                                     sizeof(T),
                                     shape);
    constexpr std::size_t kBefore = 10;  // magic, version, the header's length
    header.resize((kBefore + header.size() + 1 + 63) / 64 * 64 - kBefore - 1, ' ');
    header += '\n';
    std::string text("\x93NUMPY\x01\x00", 8);
    text += static_cast<char>(header.size() & 0xff);
    text += static_cast<char>(header.size() >> 8);
    text += header;
    std::unique_ptr<FileSink> sink = plain_sink(path, path);
    sink->write(std::as_bytes(std::span(text)));
    sink->write(std::as_bytes(values));
    sink->close();
}

}  // namespace stillroom::lm
