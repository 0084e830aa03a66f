// Any bytes are a Parquet file. Every column that can be read gives its rows, or an error of the
// input's; the same bytes give the same.

#include "engine/base/error.h"
#include "plugins/lm/data/parquet.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

constexpr std::int64_t kRows = 20000;  // of a column: a few bytes may announce billions
constexpr std::size_t kColumns = 20;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

/// What is seen of all columns, in few numbers.
std::uint64_t read_all(const std::string& path) {
    std::uint64_t sum = 1;
    auto add = [&](std::uint64_t value) { sum = sum * 1000003 + value; };
    try {
        auto file = stillroom::lm::ParquetFile::open(path);
        std::size_t columns = 0;
        for (const auto& column : file.columns()) {
            if (++columns > kColumns)
                break;
            try {
                stillroom::lm::ParquetReader reader(file, column.path, column.kind);
                while (reader.row() < kRows && reader.next())
                    for (const auto& item : reader.items()) {
                        add(static_cast<std::uint64_t>(item.integer));
                        for (char c : item.text)
                            add(static_cast<std::uint64_t>(c));
                    }
                require(reader.row() < file.rows(), "no more rows than the file has");
                add(static_cast<std::uint64_t>(reader.row()));
            } catch (const stillroom::Error& error) {
                require(error.exit_code() == stillroom::kExitBadInput, "it is the input's fault");
            }
        }
    } catch (const stillroom::Error& error) {
        require(error.exit_code() == stillroom::kExitBadInput, "it is the input that is bad");
    }
    return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    int file = ::memfd_create("parquet", MFD_CLOEXEC);
    require(file >= 0 && ::write(file, data, size) == static_cast<ssize_t>(size), "a file");
    std::string path = fmt::format("/proc/self/fd/{}", file);
    require(read_all(path) == read_all(path), "the same bytes give the same");
    ::close(file);
    return 0;
}
