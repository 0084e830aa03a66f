#include "plugins/lm/data/line_blocks.h"

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;

}  // namespace

bool LineBlocks::next(std::string& block) {
    block.assign(rest_);
    rest_.clear();
    while (!ended_) {
        std::size_t begin = block.size();
        // Of a long line twice as much each time, so that it is copied once, not once a piece.
        std::size_t more = std::max(kBlock - std::min(kBlock / 2, begin), begin);
        block.resize(begin + std::min(more, longest_ + 1 - begin));
        std::size_t count = stream_.read({block.data() + begin, block.size() - begin});
        ended_ = begin + count < block.size();
        block.resize(begin + count);
        std::size_t last = std::string_view(block).substr(begin).rfind('\n');
        if (last != std::string_view::npos) {
            rest_.assign(block, begin + last + 1);
            block.resize(begin + last + 1);
            break;
        }
        if (block.size() > longest_) {
            ended_ = too_long_ = true;
            break;
        }
    }
    return !block.empty();
}

}  // namespace stillroom::lm
