#pragma once

#include "plugins/lm/modules/decoder.h"
#include "plugins/lm/modules/sampling.h"

#include <cstdint>
#include <map>
#include <vector>

namespace stillroom::data {

/// A text, as far as it was written.
struct Written {
    std::vector<std::int64_t> ids;  ///< without the prompt, and without the stop id that ended it
    bool done = false;
};

using Texts = std::map<std::size_t, Written>;  ///< by their numbers

struct Writing {
    std::vector<std::vector<std::int64_t>> prompts;  ///< text n begins with prompt n % size
    std::vector<std::int64_t> stop_ids;
    std::int64_t max_length = 512;
    std::int64_t batch = 128;
    lm::Sampling sampling = {};
};

/// Who wants the texts.
class Reader {
public:
    virtual ~Reader() = default;
    virtual void done(std::size_t number, const Written& text) = 0;  ///< at once, in any order
    virtual void take(std::size_t number, const Written& text) = 0;  ///< done, in their order
    /// How many texts are enough, as far as can be told from those that were taken and what there
    /// is of the next ones, which can only grow.
    virtual std::size_t enough(const Texts& next) const = 0;
    /// After each pass. False: no further.
    virtual bool look(const Texts& next) = 0;
};

/// Writes the texts from `first` on, many at the same time, until the reader has enough. `next` are
/// those that are done already, if they are not to be written again.
///
/// A text depends on its number and the seed alone, bit for bit: each pass has the same number of
/// rows, whatever is to be written, since a product's rounding depends on how many rows it has but
/// not on their place, and a token's attention is computed as if it came alone. Rows that nobody
/// needs are filled.
void write_texts(const lm::Decoder& decoder,
                 const Writing& writing,
                 std::size_t first,
                 Texts next,
                 Reader& reader);

}  // namespace stillroom::data
