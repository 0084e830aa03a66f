#pragma once

#include "plugins/lm/weights/gguf.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stillroom::lm {

/// Reads a GGUF header out of the first bytes of its file. Counts and lengths are the file's word,
/// so each is compared with what is left of the file before it is believed.
class GgufHeaderReader {
public:
    /// `bytes`: the file's first ones, which `file` keeps.
    GgufHeaderReader(GgufFile& file, std::string_view bytes);

    /// False if the header goes on behind `bytes`; then what was filled in is of no use.
    bool read();

private:
    struct Short {};  // thrown where the header goes on behind the bytes at hand

    void begin();
    void value_of(std::string_view key, GgufValue& value);
    void array_of(std::string_view key, GgufValue& value);
    void keys(std::uint64_t count);
    void tensor_infos(std::uint64_t count);
    void one_tensor(std::uint64_t number);
    void place_tensors();

    template <class T>
    T number();
    std::string_view take(std::uint64_t size, std::string_view what);
    std::string_view string(std::string_view what);
    std::uint64_t left() const { return size_ - at_; }

    GgufFile& file_;
    std::string_view bytes_;
    std::uint64_t size_;  // of the file
    std::uint64_t at_ = 0;
    std::uint64_t alignment_ = 32;
    std::uint64_t texts_ = 0;
};

}  // namespace stillroom::lm
