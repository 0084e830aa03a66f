#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace stillroom::lm {

struct UnmapMemory {
    std::size_t bytes = 0;

    void operator()(void* memory) const;
};

/// Throws std::bad_alloc.
void* allocate_large(std::size_t bytes);
void free_large(void* memory, std::size_t bytes);

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

/// Of vectors, whose large ones are then made and looked through with fewer pages: up to a page of
/// 2 MiB more than they need.
template <class T>
struct LargePages {
    using value_type = T;

    LargePages() = default;
    template <class U>
    explicit LargePages(const LargePages<U>&) {}

    T* allocate(std::size_t count) {
        return static_cast<T*>(
            allocate_large(count * sizeof(T)));  // vectors ask for no more than can be
    }
    void deallocate(T* memory, std::size_t count) { free_large(memory, count * sizeof(T)); }
    bool operator==(const LargePages&) const = default;
};
template <class T>
using LargeVector = std::vector<T, LargePages<T>>;

}  // namespace stillroom::lm
