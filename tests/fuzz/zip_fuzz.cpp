// Any bytes are an archive. What comes out of it is no more than its limits, all of it or an error
// of the input's; the same bytes give the same.

#include "engine/base/error.h"
#include "plugins/lm/hub/zip.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

struct Outcome {
    bool whole = false;
    std::string bytes;
    bool operator==(const Outcome&) const = default;
};

Outcome unzip(const std::string& path) {
    stillroom::lm::ZipLimits limits;
    limits.bytes = 1 << 20;
    Outcome outcome;
    try {
        stillroom::lm::unzip_member(
            path, "a", [&](std::string_view piece) { outcome.bytes += piece; }, limits);
        outcome.whole = true;
    } catch (const stillroom::Error& error) {
        require(error.exit_code() == stillroom::kExitBadInput, "it is the input that is bad");
    }
    require(outcome.bytes.size() <= limits.bytes, "no more comes out than may");
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    int file = ::memfd_create("archive", MFD_CLOEXEC);
    require(file >= 0 && ::write(file, data, size) == static_cast<ssize_t>(size), "a file");
    std::string path = fmt::format("/proc/self/fd/{}", file);
    require(unzip(path) == unzip(path), "the same bytes give the same");
    ::close(file);
    return 0;
}
