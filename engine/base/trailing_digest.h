#pragma once

#include "engine/base/digest.h"

#include <cstdint>
#include <filesystem>
#include <memory>

namespace stillroom {

/// The digest of a file that somebody writes from front to back, worked out behind the writer: what
/// he has written is read from the system's memory by another thread while he writes on.
class STILLROOM_API TrailingDigest {
public:
    /// The file is there. Throws Error (exit 3) if it cannot be read.
    explicit TrailingDigest(std::filesystem::path file);
    TrailingDigest(TrailingDigest&&) noexcept;
    ~TrailingDigest();

    void written(std::uint64_t size);  ///< so much from its beginning, which will not change

    /// Of the first `written` bytes. The calling thread hashes what is left, beside the other one.
    std::string hex();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace stillroom
