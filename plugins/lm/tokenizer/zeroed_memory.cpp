#include "plugins/lm/tokenizer/zeroed_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace stillroom::lm {

ZeroedMemory::ZeroedMemory(std::size_t bytes) {
    constexpr std::size_t kLargePage = std::size_t{2} << 20;
    // A large page more, given back around the part that begins on one's border.
    std::size_t spare = bytes < kLargePage ? 0 : kLargePage;
    void* mapped =
        ::mmap(nullptr, bytes + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        throw std::bad_alloc();
    auto* begin = static_cast<char*>(mapped);
    if (spare > 0) {
        std::size_t front =
            (kLargePage - reinterpret_cast<std::uintptr_t>(begin) % kLargePage) % kLargePage;
        if (front > 0)
            ::munmap(begin, front);
        begin += front;
        if (spare > front)
            ::munmap(begin + bytes, spare - front);
        ::madvise(begin, bytes, MADV_HUGEPAGE);
    }
    memory_ = {begin, UnmapMemory{bytes}};
}

void UnmapMemory::operator()(void* memory) const {
    ::munmap(memory, bytes);
}

}  // namespace stillroom::lm
