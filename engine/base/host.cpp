#include "engine/base/host.h"

#include <sys/utsname.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <cstdio>
#include <memory>

namespace stillroom {

#if defined(__x86_64__)
namespace {

/// Whether the system saves the tile registers: without that the processor's bits say nothing.
bool keeps_tiles() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0)
        return false;
    unsigned low = 0, high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    constexpr unsigned kTiles = 3u << 17;
    return (low & kTiles) == kTiles;
}

bool has_amx() {
    constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24;
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & kBf16) != 0 && (d & kTile) != 0 &&
           keeps_tiles();
}

std::string read_machine_class() {
    __builtin_cpu_init();
    std::string name = "x86-64";
    if (__builtin_cpu_supports("x86-64-v4"))
        name += "-v4";
    else if (__builtin_cpu_supports("x86-64-v3"))
        name += "-v3";
    else if (__builtin_cpu_supports("x86-64-v2"))
        name += "-v2";
    return has_amx() ? name + "+amx" : name;
}
#else
std::string read_machine_class() {
    utsname names{};
    return ::uname(&names) == 0 ? names.machine : "unknown";
}
#endif

}  // namespace

// The processor is asked once: a virtual machine answers slowly.
std::string machine_class() {
    static const std::string name = read_machine_class();
    return name;
}

std::string host_name() {
    char name[256] = "";
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

std::uint64_t available_memory() {
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, Close> file(std::fopen("/proc/meminfo", "re"));
    char line[256];
    unsigned long long kilobytes = 0;
    while (file && std::fgets(line, sizeof line, file.get()))
        if (std::sscanf(line, "MemAvailable: %llu", &kilobytes) == 1)
            return kilobytes * 1024;
    return 0;
}

}  // namespace stillroom
