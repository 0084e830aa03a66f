#include "engine/base/units.h"

#include <fmt/format.h>

#include <ctime>

namespace stillroom {
namespace {

std::string scaled(std::uint64_t bytes, double step, std::initializer_list<const char*> units) {
    double value = static_cast<double>(bytes);
    const char* name = "bytes";
    for (const char* unit : units) {
        if (value < step * 0.99995)
            break;
        value /= step;
        name = unit;
    }
    return fmt::format("{:.1f} {}", value, name);
}

}  // namespace

std::string size_text(std::uint64_t bytes) {
    if (bytes < 1000)
        return fmt::format("{} byte{}", bytes, bytes == 1 ? "" : "s");
    std::string decimal = scaled(bytes, 1000, {"kB", "MB", "GB", "TB", "PB", "EB"});
    if (bytes < 1024)
        return decimal;
    return fmt::format(
        "{} / {}", decimal, scaled(bytes, 1024, {"KiB", "MiB", "GiB", "TiB", "PiB"}));
}

std::string utc_text(std::int64_t seconds, std::int64_t nanoseconds) {
    std::time_t time = seconds;
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
                       parts.tm_year + 1900,
                       parts.tm_mon + 1,
                       parts.tm_mday,
                       parts.tm_hour,
                       parts.tm_min,
                       parts.tm_sec,
                       nanoseconds / 1000);
}

std::string utc_now() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return utc_text(now.tv_sec, now.tv_nsec);
}

}  // namespace stillroom
