#pragma once

// What makes a shared module a plugin: one exported symbol that returns a table. It is a C++
// interface, so engine and plugin must come from the same minor version and family of compilers;
// `abi` says so before any C++ type is touched.
//
//     STILLROOM_PLUGIN("prune", "0.1.0") {
//         registry.add<stillroom::prune::Depth>();
//         registry.add<stillroom::prune::Minitron>();
//     }

#include "engine/base/api.h"
#include "engine/plugin/registry.h"

#include <cstdint>

namespace stillroom {

inline constexpr int kEngineMajor = 0;
inline constexpr int kEngineMinor = 1;

/// What the bits of `abi` say: a mark, major, minor, family of compilers, kind of standard library.
inline constexpr std::uint64_t kAbiMark = 0x5371;
#if defined(__GNUC__)
inline constexpr std::uint64_t kAbiFamily = 1;  // g++, and clang, which follows it
#else
inline constexpr std::uint64_t kAbiFamily = 2;
#endif
#if defined(_LIBCPP_VERSION)
inline constexpr std::uint64_t kAbiLibrary = 3;
#elif defined(_GLIBCXX_USE_CXX11_ABI) && _GLIBCXX_USE_CXX11_ABI
inline constexpr std::uint64_t kAbiLibrary = 2;
#else
inline constexpr std::uint64_t kAbiLibrary = 1;  // libstdc++ with its strings of before 2011
#endif

constexpr std::uint64_t make_abi(int major,
                                 int minor,
                                 std::uint64_t family,
                                 std::uint64_t library) {
    return kAbiMark << 48 | static_cast<std::uint64_t>(major) << 32 |
           static_cast<std::uint64_t>(minor) << 16 | family << 8 | library;
}
inline constexpr std::uint64_t kAbi = make_abi(kEngineMajor, kEngineMinor, kAbiFamily, kAbiLibrary);

/// What `stillroom_plugin` returns. `abi` stays first for ever.
struct PluginTable {
    std::uint64_t abi;
    const char* name;     ///< "prune": its stages are called prune.*
    const char* version;  ///< its own
    void (*add_stages)(Registry& registry);
};

}  // namespace stillroom

#define STILLROOM_PLUGIN(NAME, VERSION)                                           \
    static void stillroom_add_stages(::stillroom::Registry& registry);            \
    extern "C" STILLROOM_API const ::stillroom::PluginTable* stillroom_plugin() { \
        static const ::stillroom::PluginTable table = {                           \
            ::stillroom::kAbi, NAME, VERSION, stillroom_add_stages};              \
        return &table;                                                            \
    }                                                                             \
    static void stillroom_add_stages([[maybe_unused]] ::stillroom::Registry& registry)
