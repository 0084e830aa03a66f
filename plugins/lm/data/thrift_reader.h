#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace stillroom::lm {

/// What is wrong with bytes that somebody else wrote. Whoever knows the file makes an Error of it.
struct BadBytes {
    std::string what;
    bool ended = false;  ///< there may be more of them
};

/// Thrift's compact protocol, as Parquet's headers are written. Reads from front to back and never
/// behind the end; throws BadBytes. A list announces no more than could still follow.
class ThriftReader {
public:
    enum Type : int {
        kTrue = 1,
        kFalse,
        kByte,
        kShort,
        kInt,
        kLong,
        kDouble,
        kBinary,
        kList,
        kSet,
        kMap,
        kStruct
    };

    explicit ThriftReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

    std::size_t at() const { return at_; }

    /// Calls `take(id, type)` for each field; what it leaves by returning false is skipped.
    template <class Take>
    void fields(Take take) {
        Nested nested(*this);
        std::int64_t id = 0;
        while (int type = next_field(id))
            if (!take(static_cast<int>(id), type))
                skip(type);
    }

    /// Calls `take(type)` for each item of a list.
    template <class Take>
    void items(int type, Take take) {
        need(type, kList);
        Nested nested(*this);
        int each = 0;
        for (std::size_t left = list(each); left > 0; --left)
            take(each);
    }

    std::int64_t integer(int type);
    std::int32_t small(int type);  ///< of 32 bits
    bool boolean(int type);
    std::string_view binary(int type);
    void need(int type, int wanted) const;
    void skip(int type);

private:
    class Nested {
    public:
        explicit Nested(ThriftReader& reader) : reader_(reader) { reader.deeper(); }
        ~Nested() { --reader_.depth_; }
        Nested(const Nested&) = delete;
        Nested& operator=(const Nested&) = delete;

    private:
        ThriftReader& reader_;
    };

    void deeper();
    int next_field(std::int64_t& id);  ///< 0: no more
    std::size_t list(int& type);
    std::uint8_t byte();
    std::uint64_t varint();
    std::int64_t zigzag();
    void jump(std::uint64_t count);

    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace stillroom::lm
