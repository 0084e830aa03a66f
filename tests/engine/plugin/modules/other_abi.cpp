// Built for another engine: nothing behind `abi` may be touched, so there is nothing.
#include <cstdint>

#ifndef ABI
#define ABI (std::uint64_t{0x5371} << 48 | std::uint64_t{9} << 16)
#endif

extern "C" const std::uint64_t* stillroom_plugin() {
    static const std::uint64_t table = ABI;
    return &table;
}
