#pragma once

#include "plugins/lm/data/byte_stream.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace stillroom::lm {

inline constexpr std::size_t kLongestLine = std::size_t{64} << 20;

/// A stream in pieces of whole lines, each of about a MiB or of one longer line.
class STILLROOM_API LineBlocks {
public:
    /// `longest`: of a line, in bytes.
    explicit LineBlocks(ByteStream& stream, std::size_t longest = kLongestLine)
        : stream_(stream),
          longest_(longest) {}

    /// False at the end. The last line may have no line end. `block` keeps its memory from call to
    /// call. A line that is too long is the last block, cut behind `longest` bytes and one.
    bool next(std::string& block);

    bool too_long() const { return too_long_; }  ///< the last block ends inside a line

private:
    ByteStream& stream_;
    std::size_t longest_;
    std::string rest_;  // begin of a line whose end was not read yet
    bool ended_ = false;
    bool too_long_ = false;
};

/// Takes the first line off `lines`, without its line end ("\n" or "\r\n").
inline std::string_view take_line(std::string_view& lines) {
    std::size_t end = lines.find('\n');
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == lines.npos ? lines.size() : end + 1);
    if (line.ends_with('\r'))
        line.remove_suffix(1);
    return line;
}

}  // namespace stillroom::lm
