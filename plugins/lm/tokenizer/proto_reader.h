#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stillroom::lm {

/// One message of protocol buffers, field by field. Every length is checked against what is there;
/// what cannot be throws Error (exit 3) with `file` and the offset in the file.
class ProtoReader {
public:
    ProtoReader(std::string_view bytes, std::string file, std::size_t offset = 0)
        : bytes_(bytes),
          file_(std::move(file)),
          offset_(offset) {}

    /// The next field; false at the end. Its value is then one of those below.
    bool next();

    std::uint32_t field() const { return field_; }
    std::string_view text() const;  ///< of wire type 2
    ProtoReader message() const;    ///< of wire type 2
    std::int32_t integer() const;   ///< of wire type 0: the lower 32 bits
    bool flag() const { return integer() != 0; }
    float number() const;  ///< of wire type 5

    [[noreturn]] void refuse(const std::string& why) const;

private:
    std::uint64_t varint();

    std::string_view bytes_;
    std::string file_;
    std::size_t offset_;
    std::size_t at_ = 0;
    std::uint32_t field_ = 0;
    unsigned wire_ = 0;
    std::uint64_t value_ = 0;
    std::string_view text_;
};

}  // namespace stillroom::lm
