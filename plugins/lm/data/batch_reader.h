#pragma once

#include "plugins/lm/data/micro_batch.h"

#include <cstdint>
#include <memory>

namespace stillroom::lm {

/// Micro-batches of a data rank, one after another, read by a thread of its own while the last
/// ones are worked on. The samples outlive it.
class STILLROOM_API BatchReader {
public:
    BatchReader(const Samples& samples, const BatchRequest& request, std::size_t ahead = 4);
    ~BatchReader();
    BatchReader(const BatchReader&) = delete;
    BatchReader& operator=(const BatchReader&) = delete;

    /// What micro_batch(samples, request, 0), 1, 2 ... give; its Error comes where it belongs.
    MicroBatch next();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace stillroom::lm
