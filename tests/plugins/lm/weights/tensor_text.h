#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace stillroom::lm {

/// A safetensors file as text: the header's length, the header, the data.
inline std::string safetensors_text(std::string_view header, std::string_view data) {
    std::string out;
    for (int i = 0; i < 8; ++i)
        out += static_cast<char>(std::uint64_t{header.size()} >> (8 * i));
    return out.append(header).append(data);
}

inline std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace stillroom::lm
