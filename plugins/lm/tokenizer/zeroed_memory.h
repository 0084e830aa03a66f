#pragma once

#include <cstddef>
#include <memory>

namespace stillroom::lm {

struct UnmapMemory {
    std::size_t bytes = 0;

    void operator()(void* memory) const;
};

/// Memory of zeros, from 2 MiB on in large pages where the machine has them: told so before the
/// first touch, which is when pages are made.
class ZeroedMemory {
public:
    ZeroedMemory() = default;
    explicit ZeroedMemory(std::size_t bytes);  ///< throws std::bad_alloc

    void* data() const { return memory_.get(); }

private:
    std::unique_ptr<void, UnmapMemory> memory_;
};

}  // namespace stillroom::lm
