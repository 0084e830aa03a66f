#include "plugins/lm/tokenizer/zeroed_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace stillroom::lm {
namespace {

constexpr std::size_t kLargePage = std::size_t{2} << 20;

/// From a large page on it begins on the border of one.
void* map(std::size_t bytes) {
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
    return begin;
}

/// What is mapped for an array that fills at least a fourth of it.
std::size_t whole_pages(std::size_t bytes) {
    return (bytes + kLargePage - 1) / kLargePage * kLargePage;
}
constexpr std::size_t kLeastLarge = kLargePage / 4;

}  // namespace

void* allocate_large(std::size_t bytes) {
    return bytes < kLeastLarge ? ::operator new(bytes) : map(whole_pages(bytes));
}

void free_large(void* memory, std::size_t bytes) {
    if (bytes < kLeastLarge)
        ::operator delete(memory);
    else
        ::munmap(memory, whole_pages(bytes));
}

ZeroedMemory::ZeroedMemory(std::size_t bytes) {
    memory_ = {map(bytes), UnmapMemory{bytes}};
}

void UnmapMemory::operator()(void* memory) const {
    ::munmap(memory, bytes);
}

}  // namespace stillroom::lm
