#pragma once

#include "plugins/lm/modules/decoder.h"
#include "plugins/lm/modules/sampling.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace stillroom::data {

/// A text that was written.
struct Written {
    std::vector<std::int64_t> ids;  ///< without the prompt
    bool ended = false;             ///< by a stop id, which is not among them
};

struct Writing {
    std::vector<std::vector<std::int64_t>> prompts;  ///< text n begins with prompt n % size
    std::vector<std::int64_t> stop_ids;
    std::int64_t max_length = 512;
    std::int64_t batch = 64;
    lm::Sampling sampling = {};
};

/// Writes the texts [first, count), many at the same time, and hands them over in their order until
/// `take` returns false. `look` is called after each pass, with the tokens that are
/// written, and ends the work by returning false.
///
/// A text depends on its number and the seed alone, bit for bit: each pass has the same number of
/// rows, whatever is to be written, since a product's rounding depends on how many rows it has but
/// not on their place. Rows that nobody needs are filled.
void write_texts(const lm::Decoder& decoder,
                 const Writing& writing,
                 std::size_t first,
                 std::size_t count,
                 const std::function<bool(std::size_t number, const Written& text)>& take,
                 const std::function<bool(std::int64_t tokens)>& look);

}  // namespace stillroom::data
